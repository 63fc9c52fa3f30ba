-- What the shipped specs reach: over the seeds of each spec, the last value of every evaluation.
--
-- $specs: the digests of the specs as they are now; of each seed the newest run counts
WITH newest AS (
    SELECT uid, name, seed, status
    FROM runs
    WHERE status IN ('completed', 'gate_missed') AND list_contains($specs::VARCHAR[], spec_digest)
    QUALIFY row_number() OVER (PARTITION BY spec_digest, seed ORDER BY started DESC) = 1
),

run AS (
    SELECT r.uid, r.name, r.seed, r.status,
        sum(m.value) FILTER (m.key = 'iteration/num_samples') AS samples,
        sum(m.value) FILTER (m.key = 'timings/total') AS seconds
    FROM newest AS r
    JOIN metric AS m ON m.uid = r.uid
    WHERE m.key IN ('iteration/num_samples', 'timings/total')
    GROUP BY ALL
),

spec AS (
    SELECT name, count(*) AS seeds, avg(samples) AS samples, median(seconds) AS seconds,
        count(*) FILTER (status = 'completed') AS passed
    FROM run
    GROUP BY name
)

SELECT spec.name, spec.seeds, spec.passed, spec.seconds, spec.samples, l.key,
    avg(l.value) AS mean,
    stddev_samp(l.value) / sqrt(count(*)) AS standard_error
FROM spec
JOIN run ON run.name = spec.name
JOIN latest AS l ON l.uid = run.uid
WHERE regexp_matches(l.key, '^eval_[a-z_]+/(win_rate|lose_rate|avg_reward|lost)$')
GROUP BY ALL
ORDER BY spec.name, l.key;
