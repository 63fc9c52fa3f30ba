-- What each table, view, column and macro is: `jaxpot sql --schema`, and any DuckDB shell, shows it.

COMMENT ON VIEW metric IS 'Every value that counts, of every key, iteration and run. Values of a killed attempt that a later one did again are left out.';
COMMENT ON COLUMN metric.uid IS 'The run''s name among all: that of its folder.';
COMMENT ON COLUMN metric.run IS 'The run''s name, from its spec; reruns share it.';
COMMENT ON COLUMN metric.iter IS 'Iteration, from 0.';
COMMENT ON COLUMN metric.key IS 'Name of the metric; the table keys describes it.';
COMMENT ON COLUMN metric.value IS 'The value; it may be NaN or infinite.';

COMMENT ON VIEW latest IS 'The last value of each key of each run, NaN or not.';
COMMENT ON COLUMN latest.uid IS 'The run''s name among all: that of its folder.';
COMMENT ON COLUMN latest.run IS 'The run''s name, from its spec; reruns share it.';
COMMENT ON COLUMN latest.key IS 'Name of the metric.';
COMMENT ON COLUMN latest.iter IS 'Iteration of the last value.';
COMMENT ON COLUMN latest.value IS 'The last value.';

COMMENT ON VIEW best IS 'The extremes of each key of each run, over finite values.';
COMMENT ON COLUMN best.uid IS 'The run''s name among all: that of its folder.';
COMMENT ON COLUMN best.run IS 'The run''s name, from its spec; reruns share it.';
COMMENT ON COLUMN best.key IS 'Name of the metric.';
COMMENT ON COLUMN best.min IS 'The least value.';
COMMENT ON COLUMN best.min_iter IS 'The first iteration that had it.';
COMMENT ON COLUMN best.max IS 'The greatest value.';
COMMENT ON COLUMN best.max_iter IS 'The first iteration that had it.';

COMMENT ON VIEW summary IS 'Each key of each run in a row: how many values, extremes, mean, first and last.';
COMMENT ON COLUMN summary.uid IS 'The run''s name among all: that of its folder.';
COMMENT ON COLUMN summary.run IS 'The run''s name, from its spec; reruns share it.';
COMMENT ON COLUMN summary.key IS 'Name of the metric.';
COMMENT ON COLUMN summary.points IS 'How many values.';
COMMENT ON COLUMN summary.nonfinite IS 'How many of them are NaN or infinite; min, mean and max leave them out.';
COMMENT ON COLUMN summary.min IS 'The least finite value.';
COMMENT ON COLUMN summary.mean IS 'The mean of the finite values.';
COMMENT ON COLUMN summary.max IS 'The greatest finite value.';
COMMENT ON COLUMN summary.first_iter IS 'Iteration of the first value.';
COMMENT ON COLUMN summary.last_iter IS 'Iteration of the last value.';
COMMENT ON COLUMN summary.last IS 'The last value, NaN or not.';

COMMENT ON VIEW standings IS 'The entries of the league and its archive, each time they were looked at.';
COMMENT ON COLUMN standings.uid IS 'The run''s name among all: that of its folder.';
COMMENT ON COLUMN standings.run IS 'The run''s name, from its spec; reruns share it.';
COMMENT ON COLUMN standings.iter IS 'Iteration, from 0.';
COMMENT ON COLUMN standings.name IS 'The entry: iter_000500 was frozen after 500 iterations.';
COMMENT ON COLUMN standings.place IS 'league or archive.';
COMMENT ON COLUMN standings.score IS 'The agent''s mean reward against it, a moving average: low is strong.';
COMMENT ON COLUMN standings.rollouts IS 'Finished games against it.';
COMMENT ON COLUMN standings.active IS 'Whether it is played.';

COMMENT ON VIEW league IS 'The changes of the league: entries added, archived, recalled, released, dropped.';
COMMENT ON COLUMN league.uid IS 'The run''s name among all: that of its folder.';
COMMENT ON COLUMN league.run IS 'The run''s name, from its spec; reruns share it.';
COMMENT ON COLUMN league.iter IS 'Iteration, from 0.';
COMMENT ON COLUMN league.event IS 'add, archive, recall, release or drop.';
COMMENT ON COLUMN league.name IS 'The entry: iter_000500 was frozen after 500 iterations.';
COMMENT ON COLUMN league.score IS 'The agent''s mean reward against it then.';
COMMENT ON COLUMN league.rollouts IS 'Finished games against it until then.';
COMMENT ON COLUMN league.digest IS 'Digest of its parameters.';

COMMENT ON VIEW gates IS 'The gates ([[expect]]) of each run''s newest attempt, as they were judged last.';
COMMENT ON COLUMN gates.uid IS 'The run''s name among all: that of its folder.';
COMMENT ON COLUMN gates.run IS 'The run''s name, from its spec; reruns share it.';
COMMENT ON COLUMN gates.seed IS 'Seed of the run.';
COMMENT ON COLUMN gates.metric IS 'The metric that is judged.';
COMMENT ON COLUMN gates.place IS 'Where it is judged: last, best, any, or an iteration.';
COMMENT ON COLUMN gates.min IS 'The least value that passes.';
COMMENT ON COLUMN gates.max IS 'The greatest value that passes.';
COMMENT ON COLUMN gates.seeds IS 'Over how many seeds it is judged.';
COMMENT ON COLUMN gates.statistic IS 'What is taken over the seeds: mean, median, min or max.';
COMMENT ON COLUMN gates.value IS 'What was judged.';
COMMENT ON COLUMN gates.standard_error IS 'Standard error of the mean over the seeds.';
COMMENT ON COLUMN gates.judged IS 'Whether there was enough to judge.';
COMMENT ON COLUMN gates.passed IS 'Whether it passed.';
COMMENT ON COLUMN gates.time IS 'When it was judged, in UTC.';

COMMENT ON VIEW spans IS 'Until which iteration each attempt''s rows count: below the start of every later attempt.';
COMMENT ON COLUMN spans.run_id IS 'Number of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN spans.attempt IS 'Number of the attempt, from 1: each start and each resume is one.';
COMMENT ON COLUMN spans.start_iter IS 'The first iteration of the attempt.';
COMMENT ON COLUMN spans.live_until IS 'The attempt''s rows count below this iteration.';

COMMENT ON VIEW pieces IS 'What is known of the values that count, in pieces: the parts that count whole, and the rest value by value. The views summary, best and latest are made of it.';
COMMENT ON COLUMN pieces.run_id IS 'Number of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN pieces.key_id IS 'Number of the key in the run.';
COMMENT ON COLUMN pieces.points IS 'How many values.';
COMMENT ON COLUMN pieces.nonfinite IS 'How many of them are NaN or infinite.';
COMMENT ON COLUMN pieces.total IS 'Sum of the finite values.';
COMMENT ON COLUMN pieces.min IS 'The least finite value.';
COMMENT ON COLUMN pieces.min_iter IS 'The first iteration that had it.';
COMMENT ON COLUMN pieces.max IS 'The greatest finite value.';
COMMENT ON COLUMN pieces.max_iter IS 'The first iteration that had it.';
COMMENT ON COLUMN pieces.first_iter IS 'Iteration of the first value.';
COMMENT ON COLUMN pieces.last_iter IS 'Iteration of the last value.';
COMMENT ON COLUMN pieces.last IS 'The last value.';

COMMENT ON VIEW spec_params IS 'The parameters of every run''s spec, a row each.';
COMMENT ON COLUMN spec_params.uid IS 'The run''s name among all: that of its folder.';
COMMENT ON COLUMN spec_params.run IS 'The run''s name, from its spec; reruns share it.';
COMMENT ON COLUMN spec_params.path IS 'The parameter: optimizer.learning_rate, expect[0].metric.';
COMMENT ON COLUMN spec_params.value IS 'Its value as text; lists as JSON.';
COMMENT ON COLUMN spec_params.number IS 'Its value as a number, where it is one.';

COMMENT ON TABLE meta IS 'The database itself.';
COMMENT ON COLUMN meta.schema_version IS 'Version of the tables.';

COMMENT ON TABLE runs IS 'The runs. What describes code and machine is the newest attempt''s.';
COMMENT ON COLUMN runs.run_id IS 'Number of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN runs.uid IS 'The run''s name among all: that of its folder.';
COMMENT ON COLUMN runs.name IS 'The run''s name, from its spec; reruns share it.';
COMMENT ON COLUMN runs.status IS 'running, completed, gate_missed, stopped, failed or interrupted.';
COMMENT ON COLUMN runs.iterations IS 'Iterations done in all.';
COMMENT ON COLUMN runs.target IS 'The spec''s iterations.';
COMMENT ON COLUMN runs.attempts IS 'How often it was started.';
COMMENT ON COLUMN runs.seed IS 'Seed of its random numbers.';
COMMENT ON COLUMN runs.spec IS 'The resolved spec, as JSON.';
COMMENT ON COLUMN runs.spec_toml IS 'The resolved spec, as TOML.';
COMMENT ON COLUMN runs.spec_digest IS 'Digest of the resolved spec.';
COMMENT ON COLUMN runs.training_digest IS 'Digest of what trains: the seeds and reruns of a spec share it.';
COMMENT ON COLUMN runs.spec_version IS 'Version of the spec''s language.';
COMMENT ON COLUMN runs.contract IS 'Version of the contract of random numbers.';
COMMENT ON COLUMN runs.parent IS 'The checkpoint whose network it began with, relative to the runs folder.';
COMMENT ON COLUMN runs.git_commit IS 'Commit of the code.';
COMMENT ON COLUMN runs.git_dirty IS 'Whether the code had changes that are in no commit.';
COMMENT ON COLUMN runs.versions IS 'Versions of Python and of the libraries, as JSON.';
COMMENT ON COLUMN runs.platform IS 'jax''s platform: cpu, gpu or tpu.';
COMMENT ON COLUMN runs.device_kind IS 'Kind of the device.';
COMMENT ON COLUMN runs.device_count IS 'How many devices.';
COMMENT ON COLUMN runs.isa IS 'Instruction set of the processor.';
COMMENT ON COLUMN runs.nproc IS 'How many processors.';
COMMENT ON COLUMN runs.xla_flags IS 'XLA_FLAGS of the process.';
COMMENT ON COLUMN runs.host IS 'Name of the machine.';
COMMENT ON COLUMN runs.pid IS 'Number of the process.';
COMMENT ON COLUMN runs.argv IS 'Command line, as JSON.';
COMMENT ON COLUMN runs.started IS 'First record, in UTC.';
COMMENT ON COLUMN runs.heartbeat IS 'Newest record, in UTC.';
COMMENT ON COLUMN runs.ended IS 'End of the newest attempt, in UTC.';
COMMENT ON COLUMN runs.exit_reason IS 'Why the newest attempt ended.';
COMMENT ON COLUMN runs.digest IS 'Digest of its last state.';

COMMENT ON TABLE attempts IS 'Each start and each resume of a run.';
COMMENT ON COLUMN attempts.run_id IS 'Number of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN attempts.attempt IS 'Number of the attempt, from 1: each start and each resume is one.';
COMMENT ON COLUMN attempts.start_iter IS 'The first iteration it did.';
COMMENT ON COLUMN attempts.target IS 'Where it was to stop.';
COMMENT ON COLUMN attempts.status IS 'How it ended, as in runs.';
COMMENT ON COLUMN attempts.iterations IS 'Iterations done in all when it ended.';
COMMENT ON COLUMN attempts.spec IS 'The resolved spec, as JSON, where it differs from the attempt''s before.';
COMMENT ON COLUMN attempts.git_commit IS 'Commit of the code.';
COMMENT ON COLUMN attempts.git_dirty IS 'Whether the code had changes that are in no commit.';
COMMENT ON COLUMN attempts.versions IS 'Versions of Python and of the libraries, as JSON.';
COMMENT ON COLUMN attempts.platform IS 'jax''s platform: cpu, gpu or tpu.';
COMMENT ON COLUMN attempts.device_kind IS 'Kind of the device.';
COMMENT ON COLUMN attempts.device_count IS 'How many devices.';
COMMENT ON COLUMN attempts.isa IS 'Instruction set of the processor.';
COMMENT ON COLUMN attempts.nproc IS 'How many processors.';
COMMENT ON COLUMN attempts.xla_flags IS 'XLA_FLAGS of the process.';
COMMENT ON COLUMN attempts.host IS 'Name of the machine.';
COMMENT ON COLUMN attempts.pid IS 'Number of the process.';
COMMENT ON COLUMN attempts.argv IS 'Command line, as JSON.';
COMMENT ON COLUMN attempts.started IS 'First record, in UTC.';
COMMENT ON COLUMN attempts.ended IS 'When it ended, in UTC.';
COMMENT ON COLUMN attempts.exit_reason IS 'Why it ended.';
COMMENT ON COLUMN attempts.digest IS 'Digest of its last state.';

COMMENT ON TABLE params IS 'The parameters of every run''s spec; the view spec_params has the run''s names.';
COMMENT ON COLUMN params.run_id IS 'Number of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN params.path IS 'The parameter.';
COMMENT ON COLUMN params.value IS 'Its value as text; lists as JSON.';

COMMENT ON TABLE keys IS 'The metrics that each run declared.';
COMMENT ON COLUMN keys.run_id IS 'Number of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN keys.key_id IS 'Number of the key in the run, in the order of the payload.';
COMMENT ON COLUMN keys.name IS 'Name of the metric.';
COMMENT ON COLUMN keys.dtype IS 'int or float.';
COMMENT ON COLUMN keys.unit IS 'Its unit.';
COMMENT ON COLUMN keys.doc IS 'What it is.';
COMMENT ON COLUMN keys.phase IS 'The phase that emits it.';
COMMENT ON COLUMN keys.wall_clock IS 'Whether it is a time, which no two runs share.';

COMMENT ON TABLE iters IS 'The iterations of every attempt.';
COMMENT ON COLUMN iters.run_id IS 'Number of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN iters.attempt IS 'Number of the attempt, from 1: each start and each resume is one.';
COMMENT ON COLUMN iters.iter IS 'Iteration, from 0.';
COMMENT ON COLUMN iters.time IS 'When it was over, in UTC.';
COMMENT ON COLUMN iters.digest IS 'Digest of the state after it: equal digests are equal states, to the bit.';

COMMENT ON TABLE metrics IS 'Values that are not in sorted_metrics yet; the view metric has them all.';
COMMENT ON COLUMN metrics.run_id IS 'Number of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN metrics.attempt IS 'Number of the attempt, from 1: each start and each resume is one.';
COMMENT ON COLUMN metrics.iter IS 'Iteration, from 0.';
COMMENT ON COLUMN metrics.key_id IS 'Number of the key in the run.';
COMMENT ON COLUMN metrics.value32 IS 'The value if it is a float32 number.';
COMMENT ON COLUMN metrics.value64 IS 'The value if it is not.';
COMMENT ON COLUMN metrics.value IS 'The value, from value32 or value64.';
COMMENT ON COLUMN metrics.part IS 'Number of the sorted part that the value is in; 0 while it is not sorted.';

COMMENT ON TABLE sorted_parts IS 'What each part of sorted_metrics holds of a key in an attempt.';
COMMENT ON COLUMN sorted_parts.run_id IS 'Number of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN sorted_parts.part IS 'Number of the part.';
COMMENT ON COLUMN sorted_parts.attempt IS 'Number of the attempt, from 1: each start and each resume is one.';
COMMENT ON COLUMN sorted_parts.key_id IS 'Number of the key in the run.';
COMMENT ON COLUMN sorted_parts.points IS 'How many values.';
COMMENT ON COLUMN sorted_parts.nonfinite IS 'How many of them are NaN or infinite.';
COMMENT ON COLUMN sorted_parts.total IS 'Sum of the finite values.';
COMMENT ON COLUMN sorted_parts.min IS 'The least finite value.';
COMMENT ON COLUMN sorted_parts.min_iter IS 'The first iteration that had it.';
COMMENT ON COLUMN sorted_parts.max IS 'The greatest finite value.';
COMMENT ON COLUMN sorted_parts.max_iter IS 'The first iteration that had it.';
COMMENT ON COLUMN sorted_parts.first_iter IS 'Iteration of the first value.';
COMMENT ON COLUMN sorted_parts.last_iter IS 'Iteration of the last value.';
COMMENT ON COLUMN sorted_parts.last IS 'The last value.';

COMMENT ON TABLE checkpoints IS 'The checkpoints, each with its newest state.';
COMMENT ON COLUMN checkpoints.run_id IS 'Number of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN checkpoints.attempt IS 'Number of the attempt, from 1: each start and each resume is one.';
COMMENT ON COLUMN checkpoints.iteration IS 'How many iterations are done in it.';
COMMENT ON COLUMN checkpoints.kind IS 'periodic, milestone, best, emergency or final.';
COMMENT ON COLUMN checkpoints.state IS 'begun, committed, deleted or failed.';
COMMENT ON COLUMN checkpoints.path IS 'Where it is, relative to the runs folder.';
COMMENT ON COLUMN checkpoints.bytes IS 'Its size.';
COMMENT ON COLUMN checkpoints.sha256 IS 'Digest of its files.';
COMMENT ON COLUMN checkpoints.score IS 'The metric of a best one.';
COMMENT ON COLUMN checkpoints.seconds IS 'Seconds to write it.';
COMMENT ON COLUMN checkpoints.blocking_seconds IS 'Seconds that training waited for it.';
COMMENT ON COLUMN checkpoints.error IS 'Why it failed.';
COMMENT ON COLUMN checkpoints.time IS 'Newest record of it, in UTC.';

COMMENT ON TABLE events IS 'What happened to runs: compilations, time spent, warnings, saves, gates, changes of the league.';
COMMENT ON COLUMN events.run_id IS 'Number of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN events.attempt IS 'Number of the attempt, from 1: each start and each resume is one.';
COMMENT ON COLUMN events.iter IS 'Iteration, from 0.';
COMMENT ON COLUMN events.time IS 'When, in UTC.';
COMMENT ON COLUMN events.kind IS 'What happened; docs/store.md lists the kinds.';
COMMENT ON COLUMN events.payload IS 'The rest of it, as JSON.';

COMMENT ON TABLE league_standings IS 'The entries of the league and its archive as recorded; the view standings has those that count.';
COMMENT ON COLUMN league_standings.run_id IS 'Number of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN league_standings.attempt IS 'Number of the attempt, from 1: each start and each resume is one.';
COMMENT ON COLUMN league_standings.iter IS 'Iteration, from 0.';
COMMENT ON COLUMN league_standings.name IS 'The entry.';
COMMENT ON COLUMN league_standings.place IS 'league or archive.';
COMMENT ON COLUMN league_standings.score IS 'The agent''s mean reward against it, a moving average.';
COMMENT ON COLUMN league_standings.rollouts IS 'Finished games against it.';
COMMENT ON COLUMN league_standings.active IS 'Whether it is played.';

COMMENT ON TABLE histograms IS 'Counts by bin, such as how often an evaluated agent chose each action.';
COMMENT ON COLUMN histograms.run_id IS 'Number of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN histograms.attempt IS 'Number of the attempt, from 1: each start and each resume is one.';
COMMENT ON COLUMN histograms.iter IS 'Iteration, from 0.';
COMMENT ON COLUMN histograms.name IS 'Name of the histogram.';
COMMENT ON COLUMN histograms.counts IS 'The counts.';

COMMENT ON TABLE digests IS 'Digests of parts of the state; the whole state''s is in iters.';
COMMENT ON COLUMN digests.run_id IS 'Number of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN digests.attempt IS 'Number of the attempt, from 1: each start and each resume is one.';
COMMENT ON COLUMN digests.iter IS 'Iteration, from 0.';
COMMENT ON COLUMN digests.scope IS 'leaf or phase.';
COMMENT ON COLUMN digests.name IS 'The leaf or the phase.';
COMMENT ON COLUMN digests.digest IS 'Its digest.';

COMMENT ON TABLE tags IS 'The tags of runs.';
COMMENT ON COLUMN tags.run_id IS 'Number of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN tags.tag IS 'The tag.';

COMMENT ON TABLE notes IS 'The notes on runs.';
COMMENT ON COLUMN notes.run_id IS 'Number of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN notes.time IS 'When it was written, in UTC.';
COMMENT ON COLUMN notes.note IS 'The note.';

COMMENT ON TABLE journal_pos IS 'Where the ingest stands in each journal: its own bookkeeping.';
COMMENT ON COLUMN journal_pos.run_id IS 'Number of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN journal_pos.uid IS 'The run''s name among all: that of its folder.';
COMMENT ON COLUMN journal_pos.position IS 'Bytes of the journal taken in.';
COMMENT ON COLUMN journal_pos.size IS 'Size of the journal then.';
COMMENT ON COLUMN journal_pos.tail IS 'The last bytes taken in.';

COMMENT ON MACRO TABLE find_runs IS 'find_runs(word): the runs that a word means, the newest first: a uid, latest, a name, a tag, or the start of a uid; found_by says which.';
COMMENT ON MACRO run_uid IS 'run_uid(run): the uid of the run that a word means: a uid, latest, a name or a tag (the newest run that has it), or the start of one run''s uid. An error where there is none.';
COMMENT ON MACRO param IS 'param(run, path): the value of a parameter of a run''s spec, as text: param(uid, ''optimizer.learning_rate'').';
COMMENT ON MACRO smooth IS 'smooth(value, iter, width): the mean of the last width values by iter, without those that are not finite; smooth(value, iter, width, uid) does it for each run.';
COMMENT ON MACRO TABLE progress IS 'progress(run): the iterations of a run that count, with time, seconds of training so far, and samples so far; samples := KEY counts them by another metric than iteration/num_samples.';
COMMENT ON MACRO TABLE series IS 'series(run, key): a metric of a run by iteration: iter, value, seconds of training and samples so far. run is any word for a run, as text or a parameter.';
COMMENT ON MACRO TABLE run_diff IS 'run_diff(a, b): the parameters in which the specs of two runs differ: path, a, b.';
