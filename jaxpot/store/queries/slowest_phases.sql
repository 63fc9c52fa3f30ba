-- The seconds that each phase of an iteration takes, slowest first.
--
-- $run = latest: the run
SELECT
    k.phase,
    s.key,
    s.points AS measured,
    s.mean AS seconds,
    s.max AS slowest,
    s.mean / max(s.mean) FILTER (s.key = 'timings/total') OVER () AS share
FROM summary AS s
JOIN runs AS r ON r.uid = s.uid
JOIN keys AS k ON k.run_id = r.run_id AND k.name = s.key
WHERE s.uid = $run AND s.key LIKE 'timings/%'
ORDER BY seconds DESC, s.key;
