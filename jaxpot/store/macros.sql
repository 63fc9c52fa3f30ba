-- Macros for common questions. DuckDB pastes a macro's argument into its body, so names in here begin
-- with an underscore: otherwise they could capture a column that the caller passes.

-- The runs that a word selects, newest first, by the rules of `jaxpot.store.runs.find_all`.
CREATE MACRO find_runs(word) AS TABLE
WITH _ranked AS (
    SELECT
        _r.uid,
        _r.name,
        _r.started,
        CASE
            WHEN _r.uid = word THEN 1
            WHEN word = 'latest' THEN 2
            WHEN _r.name = word THEN 3
            WHEN _r.run_id IN (SELECT _t.run_id FROM tags AS _t WHERE _t.tag = word) THEN 4
            WHEN word <> '' AND starts_with(_r.uid, word) THEN 5
        END AS _rank
    FROM runs AS _r
),
_found AS (
    FROM _ranked WHERE _rank IS NOT NULL
    QUALIFY
        _rank = min(_rank) OVER ()
        AND (
            _rank <> 2
            OR row_number() OVER (
                PARTITION BY _rank ORDER BY started DESC NULLS LAST, uid DESC
            ) = 1
        )
)
SELECT uid, name, started, ['uid', 'latest', 'name', 'tag', 'start'][_rank] AS found_by
FROM _found
ORDER BY started DESC NULLS LAST, uid DESC;

CREATE MACRO run_uid(run) AS (
    SELECT CASE
        WHEN count(*) = 0 THEN error('no run is called ''' || run || ''', or tagged so')
        WHEN count(*) > 1 AND min(_f._found_by) = 'start'
            THEN error('''' || run || ''' is the start of ' || count(*) || ' runs')
        ELSE arg_max(_f._uid, (coalesce(_f._started, '1970-01-01'::TIMESTAMP), _f._uid))
    END
    FROM find_runs(run) AS _f(_uid, _name, _started, _found_by)
);

CREATE MACRO param(run, path) AS (
    SELECT any_value(_p.value)
    FROM params AS _p(_run_id, _path, value)
    JOIN runs AS _r ON _r.run_id = _p._run_id
    WHERE _r.uid = run_uid(run) AND _p._path = path
);

CREATE MACRO smooth(value, iter, width, uid := NULL) AS
    avg(CASE WHEN isfinite(value) THEN value END) OVER (
        PARTITION BY uid ORDER BY iter ROWS BETWEEN width - 1 PRECEDING AND CURRENT ROW
    );

CREATE VIEW spec_params AS
SELECT r.uid, r.name AS run, p.path, p.value, TRY_CAST(p.value AS DOUBLE) AS number
FROM params AS p
JOIN runs AS r ON r.run_id = p.run_id;

-- Time between two attempts is not training time.
CREATE MACRO progress(run, samples := 'iteration/num_samples') AS TABLE
WITH _own AS (
    SELECT _r.run_id, _r.uid FROM runs AS _r WHERE _r.uid = run_uid(run)
),
_live AS (
    SELECT _i.attempt, _i.iter, _i.time
    FROM iters AS _i
    JOIN spans AS _s
        ON _s.run_id = _i.run_id AND _s.attempt = _i.attempt AND _i.iter < _s.live_until
    WHERE _i.run_id = (SELECT _o.run_id FROM _own AS _o)
),
_begun AS (
    SELECT
        _a.attempt,
        _a.started,
        coalesce(
            sum(epoch(_l.last) - epoch(_a.started)) OVER (
                ORDER BY _a.attempt ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ),
            0
        ) AS before
    FROM attempts AS _a
    LEFT JOIN (SELECT attempt, max(time) AS last FROM _live GROUP BY attempt) AS _l
        ON _l.attempt = _a.attempt
    WHERE _a.run_id = (SELECT _o.run_id FROM _own AS _o)
),
_rows AS (
    SELECT _m.iter, _m.value
    FROM metric AS _m
    WHERE _m.uid = (SELECT _o.uid FROM _own AS _o) AND _m.key = samples
)
SELECT
    _l.iter,
    _l.time,
    _b.before + epoch(_l.time) - epoch(_b.started) AS seconds,
    sum(_n.value) OVER (ORDER BY _l.iter) AS samples
FROM _live AS _l
JOIN _begun AS _b ON _b.attempt = _l.attempt
LEFT JOIN _rows AS _n ON _n.iter = _l.iter
ORDER BY _l.iter;

CREATE MACRO series(run, key, samples := 'iteration/num_samples') AS TABLE
SELECT _m.iter, _m.value, _p.seconds, _p.samples
FROM metric AS _m
LEFT JOIN progress(run, samples) AS _p ON _p.iter = _m.iter
WHERE _m.uid = run_uid(run) AND _m.key = key
ORDER BY _m.iter;

CREATE MACRO run_diff(a, b) AS TABLE
SELECT coalesce(_x.path, _y.path) AS path, _x.value AS a, _y.value AS b
FROM (SELECT _p.path, _p.value FROM spec_params AS _p WHERE _p.uid = run_uid(a)) AS _x
FULL JOIN (SELECT _q.path, _q.value FROM spec_params AS _q WHERE _q.uid = run_uid(b)) AS _y
    ON _x.path = _y.path
WHERE _x.value IS DISTINCT FROM _y.value
ORDER BY ALL;
