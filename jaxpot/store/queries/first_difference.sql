-- The first iteration after which the states of two runs differ.
--
-- $a: a run, as run:WORD
-- $b = run:latest: the other run, as run:WORD
WITH state AS (
    SELECT r.uid, i.iter, i.digest
    FROM iters AS i
    JOIN spans AS s ON s.run_id = i.run_id AND s.attempt = i.attempt AND i.iter < s.live_until
    JOIN runs AS r ON r.run_id = i.run_id
    WHERE r.uid IN ($a, $b)
)
SELECT x.iter, x.digest AS a, y.digest AS b
FROM state AS x
JOIN state AS y ON y.iter = x.iter
WHERE x.uid = $a AND y.uid = $b AND x.digest <> y.digest
ORDER BY x.iter
LIMIT 1;
