-- The parameters in which the specs of two runs differ.
--
-- $a: a run, as run:WORD
-- $b = run:latest: another, as run:WORD
FROM run_diff($a, $b);
