-- Iterations, samples and seconds of training until each run reached a value of a metric.
--
-- $key = eval_vs_random/win_rate: the metric
-- $threshold = 0.9: the value to reach
-- $better = max: max if higher is better, min if lower is better
-- $samples = iteration/num_samples: the metric that counts an iteration's samples
-- $runs = null: words that select runs, separated by commas; by default all runs
WITH reached AS (
    SELECT uid, min(iter) AS iter
    FROM metric
    WHERE
        key = $key
        AND isfinite(value)
        AND CASE $better
            WHEN 'max' THEN value >= $threshold::DOUBLE
            WHEN 'min' THEN value <= $threshold::DOUBLE
            ELSE error('$better is max or min')
        END
    GROUP BY uid
)
SELECT
    r.name,
    r.seed,
    e.iter,
    sum(m.value) FILTER (m.key = $samples) AS samples,
    sum(m.value) FILTER (m.key = 'timings/total') AS seconds,
    r.uid
FROM runs AS r
LEFT JOIN reached AS e ON e.uid = r.uid
LEFT JOIN metric AS m
    ON m.uid = e.uid AND m.iter <= e.iter AND m.key IN ($samples, 'timings/total')
WHERE $runs IS NULL OR list_contains($runs::VARCHAR[], r.uid)
GROUP BY ALL
ORDER BY samples, e.iter, r.uid;
