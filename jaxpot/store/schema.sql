-- The tables. Every row derives from the journals, ids included, so `jaxpot rebuild` makes the same
-- rows again (only journal_pos and the numbers of parts depend on when they were read). Times are UTC.
-- docs/store.md describes each column. After a change here, increase SCHEMA_VERSION: older databases
-- are then rebuilt from their journals.

CREATE TABLE meta (
    schema_version INTEGER NOT NULL
);

CREATE TABLE runs (
    run_id BIGINT NOT NULL,
    uid VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    iterations INTEGER NOT NULL,
    target INTEGER,
    attempts INTEGER NOT NULL,
    seed BIGINT,
    spec JSON,
    spec_toml VARCHAR,
    spec_digest VARCHAR,
    training_digest VARCHAR,
    spec_version INTEGER,
    contract VARCHAR,
    parent VARCHAR,
    git_commit VARCHAR,
    git_dirty BOOLEAN,
    versions JSON,
    platform VARCHAR,
    device_kind VARCHAR,
    device_count INTEGER,
    isa VARCHAR,
    nproc INTEGER,
    xla_flags VARCHAR,
    host VARCHAR,
    pid BIGINT,
    argv JSON,
    started TIMESTAMP,
    heartbeat TIMESTAMP,
    ended TIMESTAMP,
    exit_reason VARCHAR,
    digest VARCHAR
);

CREATE TABLE attempts (
    run_id BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    start_iter INTEGER NOT NULL,
    target INTEGER,
    status VARCHAR NOT NULL,
    iterations INTEGER NOT NULL,
    spec JSON,
    git_commit VARCHAR,
    git_dirty BOOLEAN,
    versions JSON,
    platform VARCHAR,
    device_kind VARCHAR,
    device_count INTEGER,
    isa VARCHAR,
    nproc INTEGER,
    xla_flags VARCHAR,
    host VARCHAR,
    pid BIGINT,
    argv JSON,
    started TIMESTAMP,
    ended TIMESTAMP,
    exit_reason VARCHAR,
    digest VARCHAR
);

CREATE TABLE params (
    run_id BIGINT NOT NULL,
    path VARCHAR NOT NULL,
    value VARCHAR NOT NULL
);

CREATE TABLE keys (
    run_id BIGINT NOT NULL,
    key_id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    dtype VARCHAR,
    unit VARCHAR,
    doc VARCHAR,
    phase VARCHAR,
    wall_clock BOOLEAN
);

CREATE TABLE iters (
    run_id BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    iter INTEGER NOT NULL,
    time TIMESTAMP NOT NULL,
    digest VARCHAR
);

-- A value that is a float32 number, as most are, is in value32, at half the bytes; others in value64.
-- part is 0 for points in the order of the journal. Others are sorted by key and iteration within
-- their part, so that a series is read from few places and compresses well.
CREATE TABLE metrics (
    run_id BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    iter INTEGER NOT NULL,
    key_id INTEGER NOT NULL,
    value32 FLOAT,
    value64 DOUBLE,
    value DOUBLE GENERATED ALWAYS AS (coalesce(value32::DOUBLE, value64)) VIRTUAL,
    part INTEGER NOT NULL
);

-- A summary of each key in each part of metrics, so that the extremes and the last value of a key are
-- found without reading its points. min, max, their iterations and total are over the finite values,
-- and NULL where there is none.
CREATE TABLE sorted_parts (
    run_id BIGINT NOT NULL,
    part INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    key_id INTEGER NOT NULL,
    points BIGINT NOT NULL,
    nonfinite BIGINT NOT NULL,
    total DOUBLE,
    min DOUBLE,
    min_iter INTEGER,
    max DOUBLE,
    max_iter INTEGER,
    first_iter INTEGER NOT NULL,
    last_iter INTEGER NOT NULL,
    last DOUBLE NOT NULL
);

CREATE TABLE checkpoints (
    run_id BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    iteration INTEGER NOT NULL,
    kind VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    path VARCHAR,
    bytes BIGINT,
    sha256 VARCHAR,
    score DOUBLE,
    seconds DOUBLE,
    blocking_seconds DOUBLE,
    error VARCHAR,
    time TIMESTAMP NOT NULL
);

CREATE TABLE events (
    run_id BIGINT NOT NULL,
    attempt INTEGER,
    iter INTEGER,
    time TIMESTAMP,
    kind VARCHAR NOT NULL,
    payload JSON
);

CREATE TABLE league_standings (
    run_id BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    iter INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    place VARCHAR,
    score DOUBLE,
    rollouts BIGINT,
    active BOOLEAN
);

CREATE TABLE histograms (
    run_id BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    iter INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    counts BIGINT[] NOT NULL
);

CREATE TABLE digests (
    run_id BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    iter INTEGER NOT NULL,
    scope VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    digest VARCHAR NOT NULL
);

CREATE TABLE tags (
    run_id BIGINT NOT NULL,
    tag VARCHAR NOT NULL
);

CREATE TABLE notes (
    run_id BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    note VARCHAR NOT NULL
);

-- How far the ingest has read each journal: bytes read, the journal's size at that time (a torn last
-- line makes it larger), and the last bytes read, which show whether it is still the same journal.
CREATE TABLE journal_pos (
    run_id BIGINT NOT NULL,
    uid VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    size BIGINT NOT NULL,
    tail VARCHAR NOT NULL
);
