-- What people ask: rows that count, of every run, by names.

-- A row counts while its iter is below every later attempt's start_iter.
CREATE VIEW spans AS
SELECT
    run_id,
    attempt,
    start_iter,
    coalesce(
        min(start_iter) OVER (
            PARTITION BY run_id ORDER BY attempt
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        ),
        2147483647
    ) AS live_until
FROM attempts;

CREATE VIEW metric AS
SELECT r.uid, r.name AS run, m.iter, k.name AS key, m.value
FROM metrics AS m
JOIN spans AS s ON s.run_id = m.run_id AND s.attempt = m.attempt AND m.iter < s.live_until
JOIN runs AS r ON r.run_id = m.run_id
JOIN keys AS k ON k.run_id = m.run_id AND k.key_id = m.key_id;

CREATE VIEW latest AS
SELECT uid, run, key, max(iter) AS iter, arg_max(value, iter) AS value
FROM metric
GROUP BY uid, run, key;

-- NaN sorts above every number, so it would be everybody's best.
CREATE VIEW best AS
SELECT
    uid,
    run,
    key,
    min(value) AS min,
    arg_min(iter, (value, iter)) AS min_iter,
    max(value) AS max,
    arg_min(iter, (-value, iter)) AS max_iter
FROM metric
WHERE isfinite(value)
GROUP BY uid, run, key;

CREATE VIEW summary AS
SELECT
    uid,
    run,
    key,
    count(*) AS points,
    count(*) FILTER (NOT isfinite(value)) AS nonfinite,
    min(value) FILTER (isfinite(value)) AS min,
    avg(value) FILTER (isfinite(value)) AS mean,
    max(value) FILTER (isfinite(value)) AS max,
    min(iter) AS first_iter,
    max(iter) AS last_iter,
    arg_max(value, iter) AS last
FROM metric
GROUP BY uid, run, key;

-- The league grows after the checkpoint of an iteration, so a resume from that checkpoint repeats
-- it: of what several attempts recorded under one iteration, the newest one's counts.
CREATE VIEW standings AS
SELECT r.uid, r.name AS run, l.iter, l.name, l.place, l.score, l.rollouts, l.active
FROM league_standings AS l
JOIN spans AS s ON s.run_id = l.run_id AND s.attempt = l.attempt AND l.iter < s.live_until
JOIN runs AS r ON r.run_id = l.run_id
QUALIFY l.attempt = max(l.attempt) OVER (PARTITION BY r.uid, l.iter);

CREATE VIEW league AS
SELECT
    r.uid,
    r.name AS run,
    e.iter,
    e.kind[8:] AS event,
    e.payload->>'$.name' AS name,
    TRY_CAST(e.payload->>'$.score' AS DOUBLE) AS score,
    TRY_CAST(e.payload->>'$.rollouts' AS BIGINT) AS rollouts,
    e.payload->>'$.digest' AS digest
FROM events AS e
JOIN spans AS s ON s.run_id = e.run_id AND s.attempt = e.attempt AND e.iter < s.live_until
JOIN runs AS r ON r.run_id = e.run_id
WHERE e.kind IN ('league_add', 'league_archive', 'league_drop', 'league_recall', 'league_release')
QUALIFY e.attempt = max(e.attempt) OVER (PARTITION BY r.uid, e.iter, e.kind, e.payload->>'$.name');

-- Gates as they were judged last: by the newest attempt, or by what judged several seeds' runs since.
CREATE VIEW gates AS
SELECT
    r.uid,
    r.name AS run,
    r.seed,
    e.payload->>'$.metric' AS metric,
    e.payload->>'$.at' AS place,
    TRY_CAST(e.payload->>'$.min' AS DOUBLE) AS min,
    TRY_CAST(e.payload->>'$.max' AS DOUBLE) AS max,
    TRY_CAST(e.payload->>'$.seeds' AS INTEGER) AS seeds,
    e.payload->>'$.statistic' AS statistic,
    TRY_CAST(e.payload->>'$.value' AS DOUBLE) AS value,
    TRY_CAST(e.payload->>'$.standard_error' AS DOUBLE) AS standard_error,
    TRY_CAST(e.payload->>'$.judged' AS BOOLEAN) AS judged,
    TRY_CAST(e.payload->>'$.passed' AS BOOLEAN) AS passed,
    e.time
FROM events AS e
JOIN runs AS r ON r.run_id = e.run_id AND r.attempts = e.attempt
WHERE e.kind = 'expect'
QUALIFY row_number() OVER (
    PARTITION BY
        e.run_id,
        json_extract_string(
            e.payload, ['$.metric', '$.at', '$.min', '$.max', '$.seeds', '$.statistic']
        )
    ORDER BY e.time DESC, e.rowid DESC
) = 1;
