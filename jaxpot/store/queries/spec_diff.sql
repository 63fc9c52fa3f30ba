-- The parameters that differ between the specs of two runs.
--
-- $a: a run, as run:WORD
-- $b = run:latest: the other run, as run:WORD
FROM run_diff($a, $b);
