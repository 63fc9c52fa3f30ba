-- A metric of a run by iteration, with its moving mean.
--
-- $run = latest: the run
-- $key = total_loss: the metric
-- $width = 20: how many points the mean is over
SELECT iter, samples, seconds, value, smooth(value, iter, $width) AS mean
FROM series($run, $key)
ORDER BY iter;
