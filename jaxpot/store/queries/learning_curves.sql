-- A metric of a run by iteration, with its moving average.
--
-- $run = latest: the run
-- $key = total_loss: the metric
-- $width = 20: number of points to average
SELECT iter, samples, seconds, value, smooth(value, iter, $width) AS mean
FROM series($run, $key)
ORDER BY iter;
