-- The best value of a metric for each spec, with its run and iteration.
--
-- $key = eval_vs_random/win_rate: the metric
-- $better = max: max or min
-- $runs = null: words that select runs, separated by commas; by default all runs
WITH extreme AS (
    SELECT
        r.name,
        coalesce(r.training_digest, r.uid) AS training,
        r.seed,
        b.uid,
        CASE $better
            WHEN 'max' THEN b.max
            WHEN 'min' THEN -b.min
            ELSE error('$better is max or min')
        END AS score,
        CASE $better WHEN 'max' THEN b.max ELSE b.min END AS value,
        CASE $better WHEN 'max' THEN b.max_iter ELSE b.min_iter END AS iter
    FROM best AS b
    JOIN runs AS r ON r.uid = b.uid
    WHERE b.key = $key AND ($runs IS NULL OR list_contains($runs::VARCHAR[], r.uid))
)
SELECT
    arg_max(name, (score, uid)) AS name,
    training[:8] AS training,
    count(*) AS runs,
    arg_max(value, (score, uid)) AS best,
    arg_max(iter, (score, uid)) AS iter,
    arg_max(seed, (score, uid)) AS seed,
    arg_max(uid, (score, uid)) AS uid
FROM extreme
GROUP BY ALL
ORDER BY max(score) DESC, uid;
