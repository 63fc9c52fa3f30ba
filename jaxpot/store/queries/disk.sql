-- The disk space that each run's checkpoints use.
SELECT r.name, r.status, count(*) AS checkpoints, sum(c.bytes) AS bytes, r.uid
FROM checkpoints AS c
JOIN runs AS r ON r.run_id = c.run_id
WHERE c.state = 'committed'
GROUP BY ALL
ORDER BY bytes DESC, r.uid;
