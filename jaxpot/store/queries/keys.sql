-- The metrics of a run: description, last value and extremes.
--
-- $run = latest: the run
SELECT k.name AS key, s.last, s.min, s.max, s.points, k.unit, k.phase, k.doc
FROM keys AS k
JOIN runs AS r ON r.run_id = k.run_id
LEFT JOIN summary AS s ON s.uid = r.uid AND s.key = k.name
WHERE r.uid = $run
ORDER BY k.key_id;
