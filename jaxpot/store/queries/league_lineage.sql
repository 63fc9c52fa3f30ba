-- The history of each entry of a run's league: when it was added, archived, recalled, dropped.
--
-- $run = latest: the run
SELECT
    name,
    min(iter) FILTER (event = 'add') AS added,
    min(iter) FILTER (event = 'archive') AS archived,
    list(iter ORDER BY iter) FILTER (event = 'recall') AS recalled,
    list(iter ORDER BY iter) FILTER (event = 'release') AS released,
    max(iter) FILTER (event = 'drop') AS dropped,
    arg_max(score, iter) AS score,
    arg_max(rollouts, iter) AS rollouts
FROM league
WHERE uid = $run
GROUP BY name
ORDER BY added, name;
