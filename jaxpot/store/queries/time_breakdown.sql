-- How a run spent its time, over all attempts.
--
-- $run = latest: the run
WITH newest AS (
    SELECT arg_max(e.payload, e.time) AS payload
    FROM events AS e
    JOIN runs AS r ON r.run_id = e.run_id
    WHERE r.uid = $run AND e.kind = 'time'
    GROUP BY e.attempt
),
spent AS (
    SELECT what, (payload->>what)::DOUBLE AS seconds
    FROM (SELECT payload, unnest(json_keys(payload)) AS what FROM newest)
)
SELECT what, sum(seconds) AS seconds, sum(seconds) / sum(sum(seconds)) OVER () AS share
FROM spent
GROUP BY what
ORDER BY seconds DESC, what;
