-- Samples per second of each run, and its machine.
SELECT
    r.name,
    s.mean AS samples_per_second,
    s.max AS fastest,
    r.device_kind,
    r.device_count,
    r.isa,
    r.nproc,
    r.host,
    r.uid
FROM summary AS s
JOIN runs AS r ON r.uid = s.uid
WHERE s.key = 'iteration/sps'
ORDER BY s.mean DESC, r.uid;
