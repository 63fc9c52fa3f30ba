-- The existing checkpoints of a run.
--
-- $run = latest: the run
SELECT c.iteration, c.kind, c.score, c.bytes, c.seconds, c.blocking_seconds, c.path
FROM checkpoints AS c
JOIN runs AS r ON r.run_id = c.run_id
WHERE r.uid = $run AND c.state = 'committed'
ORDER BY c.iteration, c.kind;
