-- A metric by iteration over the seeds of a run's spec: mean and standard error.
--
-- For each seed, the newest finished run is used.
--
-- $run = latest: any run of the spec
-- $key = total_loss: the metric
WITH own AS (
    SELECT coalesce(training_digest, uid) AS training, parent FROM runs WHERE uid = $run
),
sample AS (
    SELECT r.uid
    FROM runs AS r
    JOIN own AS o
        ON o.training = coalesce(r.training_digest, r.uid) AND o.parent IS NOT DISTINCT FROM r.parent
    WHERE r.status IN ('completed', 'gate_missed')
    QUALIFY row_number() OVER (PARTITION BY r.seed ORDER BY r.started DESC, r.uid DESC) = 1
)
SELECT
    m.iter,
    count(*) AS n,
    avg(m.value) AS mean,
    CASE WHEN n > 1 THEN stddev_samp(m.value) / sqrt(n) END AS standard_error,
    min(m.value) AS min,
    max(m.value) AS max
FROM metric AS m
WHERE m.key = $key AND m.uid IN (SELECT uid FROM sample) AND isfinite(m.value)
GROUP BY m.iter
ORDER BY m.iter;
