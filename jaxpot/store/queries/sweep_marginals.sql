-- The mean of a metric for each value of each spec parameter that differs between runs.
--
-- $key = eval_vs_random/win_rate: the metric
-- $at = last: last, max or min of the run
-- $runs = null: words that select runs, separated by commas; by default all runs
WITH result AS (
    SELECT
        r.run_id,
        CASE $at
            WHEN 'last' THEN s.last
            WHEN 'max' THEN s.max
            WHEN 'min' THEN s.min
            ELSE error('$at is last, max or min')
        END AS value
    FROM summary AS s
    JOIN runs AS r ON r.uid = s.uid
    WHERE s.key = $key AND ($runs IS NULL OR list_contains($runs::VARCHAR[], r.uid))
),
known AS (
    FROM result WHERE isfinite(value)
)
SELECT
    p.path,
    p.value,
    count(*) AS n,
    avg(k.value) AS mean,
    CASE WHEN n > 1 THEN stddev_samp(k.value) / sqrt(n) END AS standard_error,
    min(k.value) AS min,
    max(k.value) AS max
FROM known AS k
JOIN params AS p ON p.run_id = k.run_id
WHERE p.path NOT IN ('name', 'seed')
GROUP BY p.path, p.value
QUALIFY count(*) OVER (PARTITION BY p.path) > 1
ORDER BY p.path, TRY_CAST(p.value AS DOUBLE), p.value;
