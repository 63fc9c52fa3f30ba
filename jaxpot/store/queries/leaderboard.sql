-- The runs with the best values of a metric.
--
-- $key = eval_vs_random/win_rate: the metric
-- $better = max: max or min
-- $limit = 20: number of runs
SELECT
    r.name,
    r.seed,
    r.status,
    CASE $better
        WHEN 'max' THEN b.max
        WHEN 'min' THEN b.min
        ELSE error('$better is max or min')
    END AS best,
    CASE $better WHEN 'max' THEN b.max_iter ELSE b.min_iter END AS iter,
    l.value AS last,
    r.uid
FROM best AS b
JOIN runs AS r ON r.uid = b.uid
JOIN latest AS l ON l.uid = b.uid AND l.key = b.key
WHERE b.key = $key
ORDER BY CASE $better WHEN 'max' THEN -b.max ELSE b.min END, r.uid
LIMIT $limit;
