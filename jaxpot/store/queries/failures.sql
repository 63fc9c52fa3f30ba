-- Runs that failed, were interrupted or missed a gate, with their last warning.
WITH said AS (
    SELECT run_id, arg_max(payload, time) AS payload
    FROM events
    WHERE kind IN ('warning', 'nonfinite')
    GROUP BY run_id
)
SELECT r.name, r.status, r.iterations, r.target, r.exit_reason, s.payload AS said, r.started, r.uid
FROM runs AS r
LEFT JOIN said AS s ON s.run_id = r.run_id
WHERE r.status IN ('failed', 'interrupted', 'gate_missed')
ORDER BY r.started DESC, r.uid;
