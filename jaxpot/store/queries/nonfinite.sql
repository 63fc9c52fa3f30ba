-- Metrics with NaN or infinite values: how many, and the first iteration.
--
-- $runs = null: words that select runs, separated by commas; by default all runs
SELECT s.run, s.key, s.nonfinite, s.points, min(m.iter) AS first_iter, s.uid
FROM summary AS s
JOIN metric AS m ON m.uid = s.uid AND m.key = s.key AND NOT isfinite(m.value)
WHERE s.nonfinite > 0 AND ($runs IS NULL OR list_contains($runs::VARCHAR[], s.uid))
GROUP BY ALL
ORDER BY s.nonfinite DESC, s.uid, s.key;
