-- The last value of a metric over the seeds of each spec: mean and standard error.
--
-- For each seed, the newest finished run is used: a repeated run is not a new sample.
--
-- $key = eval_vs_random/win_rate: the metric
-- $runs = null: words that select runs, separated by commas; by default all runs
WITH sample AS (
    SELECT uid, name, seed, parent, coalesce(training_digest, uid) AS training
    FROM runs
    WHERE
        status IN ('completed', 'gate_missed')
        AND ($runs IS NULL OR list_contains($runs::VARCHAR[], uid))
    QUALIFY row_number() OVER (
        PARTITION BY training, parent, seed ORDER BY started DESC, uid DESC
    ) = 1
)
SELECT
    max(s.name) AS name,
    s.training[:8] AS training,
    count(*) FILTER (isfinite(l.value)) AS n,
    avg(l.value) FILTER (isfinite(l.value)) AS mean,
    CASE WHEN n > 1
        THEN stddev_samp(l.value) FILTER (isfinite(l.value)) / sqrt(n)
    END AS standard_error,
    min(l.value) FILTER (isfinite(l.value)) AS min,
    max(l.value) FILTER (isfinite(l.value)) AS max,
    count(*) FILTER (NOT isfinite(l.value)) AS nonfinite,
    list(s.seed ORDER BY s.seed) AS seeds
FROM sample AS s
JOIN latest AS l ON l.uid = s.uid
WHERE l.key = $key
GROUP BY s.training, s.parent
ORDER BY mean DESC, s.training;
