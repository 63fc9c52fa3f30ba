-- Verdicts of gates. docs/gates.md says which runs a gate looks at and which value it takes from each.
-- NaN sorts above every number, so comparisons and extremes exclude it explicitly.
WITH gate AS (
    SELECT
        unnest($gate::INTEGER[]) AS gate,
        unnest($metric::VARCHAR[]) AS metric,
        unnest($place::VARCHAR[]) AS place,
        unnest($moment::INTEGER[]) AS moment,
        unnest($low::DOUBLE[]) AS low,
        unnest($high::DOUBLE[]) AS high,
        unnest($seeds::INTEGER[]) AS seeds,
        unnest($statistic::VARCHAR[]) AS statistic,
        unnest($evaluator::VARCHAR[]) AS evaluator
),
own AS (
    FROM runs WHERE uid = $uid
),
sample AS (
    SELECT g.gate, r.run_id, r.uid, r.seed, r.uid = o.uid OR r.iterations >= $iterations AS counts
    FROM gate AS g
    CROSS JOIN own AS o
    JOIN runs AS r ON r.uid = o.uid OR (
        g.seeds > 1
        AND r.training_digest = o.training_digest
        AND r.parent IS NOT DISTINCT FROM o.parent
        AND json_extract(r.spec, g.evaluator) IS NOT DISTINCT FROM json_extract(o.spec, g.evaluator)
        AND r.seed BETWEEN $first AND $last
        AND (r.iterations >= $iterations OR r.status = 'failed')
    )
    QUALIFY row_number() OVER (
        PARTITION BY g.gate, r.seed ORDER BY r.uid = o.uid DESC, r.started DESC, r.uid DESC
    ) = 1
),
point AS (
    SELECT
        s.gate, s.uid, g.place, g.moment, g.low, m.iter, m.value,
        NOT isnan(m.value)
            AND (g.low IS NULL OR m.value >= g.low)
            AND (g.high IS NULL OR m.value <= g.high) AS inside
    FROM sample AS s
    JOIN gate AS g ON g.gate = s.gate
    JOIN keys AS k ON k.run_id = s.run_id AND k.name = g.metric
    JOIN metrics AS m ON m.run_id = s.run_id AND m.key_id = k.key_id AND m.iter < $iterations
    JOIN spans AS p ON p.run_id = m.run_id AND p.attempt = m.attempt AND m.iter < p.live_until
    WHERE s.counts
),
chosen AS (
    SELECT
        gate,
        uid,
        CASE any_value(place)
            WHEN 'last' THEN arg_max(value, iter)
            WHEN 'any' THEN coalesce(arg_min(value, iter) FILTER (inside), arg_max(value, iter))
            WHEN 'best' THEN coalesce(
                CASE WHEN any_value(low) IS NULL
                    THEN min(value) FILTER (NOT isnan(value))
                    ELSE max(value) FILTER (NOT isnan(value))
                END,
                arg_max(value, iter)
            )
            ELSE any_value(value) FILTER (iter = moment)
        END AS value
    FROM point
    GROUP BY gate, uid
),
summed AS (
    SELECT
        g.gate, g.low, g.high, g.seeds,
        count(*) AS runs,
        list(
            {'run': s.uid, 'seed': s.seed, 'value': c.value} ORDER BY s.seed, s.uid
        ) AS listed,
        CASE
            WHEN g.seeds = 1 THEN any_value(c.value)
            -- For these two, one seed that passes is enough, even if other runs failed.
            WHEN g.statistic = 'max' AND g.high IS NULL AND count(c.value) > 0 THEN
                coalesce(max(c.value) FILTER (NOT isnan(c.value)), 'NaN')
            WHEN g.statistic = 'min' AND g.low IS NULL AND count(c.value) > 0 THEN
                coalesce(min(c.value) FILTER (NOT isnan(c.value)), 'NaN')
            WHEN count(c.value) < count(*) THEN NULL
            WHEN bool_or(isnan(c.value)) THEN 'NaN'
            WHEN g.statistic = 'mean' THEN avg(c.value ORDER BY s.seed, s.uid)
            WHEN g.statistic = 'median' THEN median(c.value)
            WHEN g.statistic = 'min' THEN min(c.value)
            ELSE max(c.value)
        END AS value,
        CASE WHEN count(*) > 1 AND count(*) FILTER (isfinite(c.value)) = count(*)
            THEN stddev_samp(c.value ORDER BY s.seed, s.uid) FILTER (isfinite(c.value))
                / sqrt(count(*))
        END AS standard_error
    FROM gate AS g
    JOIN sample AS s ON s.gate = g.gate
    LEFT JOIN chosen AS c ON c.gate = s.gate AND c.uid = s.uid
    GROUP BY g.gate, g.low, g.high, g.seeds, g.statistic
)
SELECT
    gate,
    value,
    standard_error,
    listed,
    $complete AND runs >= seeds AS judged,
    coalesce(
        NOT isnan(value) AND (low IS NULL OR value >= low) AND (high IS NULL OR value <= high),
        false
    ) AS passed
FROM summed
ORDER BY gate;
