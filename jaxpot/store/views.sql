-- Views for people: the live rows of every run, by name.

-- A row is live if its iter is below the start_iter of every later attempt.
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

-- Summaries of the live points: of a whole part where all of it is live, of single points elsewhere.
CREATE VIEW pieces AS
SELECT
    p.run_id, p.key_id, p.points, p.nonfinite, p.total, p.min, p.min_iter, p.max, p.max_iter,
    p.first_iter, p.last_iter, p.last
FROM sorted_parts AS p
JOIN spans AS s ON s.run_id = p.run_id AND s.attempt = p.attempt AND p.last_iter < s.live_until
UNION ALL
SELECT
    m.run_id,
    m.key_id,
    1 AS points,
    (NOT isfinite(m.value))::BIGINT AS nonfinite,
    CASE WHEN isfinite(m.value) THEN m.value END AS total,
    CASE WHEN isfinite(m.value) THEN m.value END AS min,
    CASE WHEN isfinite(m.value) THEN m.iter END AS min_iter,
    CASE WHEN isfinite(m.value) THEN m.value END AS max,
    CASE WHEN isfinite(m.value) THEN m.iter END AS max_iter,
    m.iter AS first_iter,
    m.iter AS last_iter,
    m.value AS last
FROM (
    FROM metrics WHERE part = 0
    UNION ALL
    FROM metrics
    SEMI JOIN (
        FROM sorted_parts AS p
        JOIN spans AS s ON s.run_id = p.run_id AND s.attempt = p.attempt
        SELECT p.run_id, p.part, p.attempt, p.key_id
        WHERE p.first_iter < s.live_until AND p.last_iter >= s.live_until
    ) AS cut USING (run_id, part, attempt, key_id)
) AS m
JOIN spans AS s ON s.run_id = m.run_id AND s.attempt = m.attempt AND m.iter < s.live_until;

-- NaN sorts above every number, so without the filter it would be every run's maximum.
CREATE VIEW summary AS
SELECT
    r.uid,
    r.name AS run,
    k.name AS key,
    sum(p.points)::BIGINT AS points,
    sum(p.nonfinite)::BIGINT AS nonfinite,
    min(p.min) AS min,
    sum(p.total) / sum(p.points - p.nonfinite) AS mean,
    max(p.max) AS max,
    min(p.first_iter) AS first_iter,
    max(p.last_iter) AS last_iter,
    arg_max(p.last, p.last_iter) AS last
FROM pieces AS p
JOIN runs AS r ON r.run_id = p.run_id
JOIN keys AS k ON k.run_id = p.run_id AND k.key_id = p.key_id
GROUP BY r.uid, r.name, k.name;

CREATE VIEW latest AS
SELECT
    r.uid,
    r.name AS run,
    k.name AS key,
    max(p.last_iter) AS iter,
    arg_max(p.last, p.last_iter) AS value
FROM pieces AS p
JOIN runs AS r ON r.run_id = p.run_id
JOIN keys AS k ON k.run_id = p.run_id AND k.key_id = p.key_id
GROUP BY r.uid, r.name, k.name;

CREATE VIEW best AS
SELECT
    r.uid,
    r.name AS run,
    k.name AS key,
    min(p.min) AS min,
    arg_min(p.min_iter, (p.min, p.min_iter)) AS min_iter,
    max(p.max) AS max,
    arg_min(p.max_iter, (-p.max, p.max_iter)) AS max_iter
FROM pieces AS p
JOIN runs AS r ON r.run_id = p.run_id
JOIN keys AS k ON k.run_id = p.run_id AND k.key_id = p.key_id
WHERE p.min IS NOT NULL
GROUP BY r.uid, r.name, k.name;

-- The league grows after the checkpoint of an iteration, so a resume from that checkpoint repeats
-- it. If several attempts recorded an iteration, the newest attempt's rows are used.
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

-- The latest verdict on each gate: by the newest attempt, or by a later judgement over several seeds.
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
