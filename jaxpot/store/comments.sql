-- A description of each table, view, column and macro. `jaxpot sql --schema` and DuckDB shells show it.

COMMENT ON VIEW metric IS 'Every live value, by run, iteration and key. Values that a later attempt computed again are left out.';
COMMENT ON COLUMN metric.uid IS 'The run''s unique name, also the name of its folder.';
COMMENT ON COLUMN metric.run IS 'The spec''s name; several runs can share it.';
COMMENT ON COLUMN metric.iter IS 'Iteration, counted from 0.';
COMMENT ON COLUMN metric.key IS 'Name of the metric; the table keys describes it.';
COMMENT ON COLUMN metric.value IS 'The value; it may be NaN or infinite.';

COMMENT ON VIEW latest IS 'The last value of each key of each run, even if it is NaN.';
COMMENT ON COLUMN latest.uid IS 'The run''s unique name, also the name of its folder.';
COMMENT ON COLUMN latest.run IS 'The spec''s name; several runs can share it.';
COMMENT ON COLUMN latest.key IS 'Name of the metric.';
COMMENT ON COLUMN latest.iter IS 'Iteration of the last value.';
COMMENT ON COLUMN latest.value IS 'The last value.';

COMMENT ON VIEW best IS 'The least and the greatest finite value of each key of each run.';
COMMENT ON COLUMN best.uid IS 'The run''s unique name, also the name of its folder.';
COMMENT ON COLUMN best.run IS 'The spec''s name; several runs can share it.';
COMMENT ON COLUMN best.key IS 'Name of the metric.';
COMMENT ON COLUMN best.min IS 'The least value.';
COMMENT ON COLUMN best.min_iter IS 'The first iteration with that value.';
COMMENT ON COLUMN best.max IS 'The greatest value.';
COMMENT ON COLUMN best.max_iter IS 'The first iteration with that value.';

COMMENT ON VIEW summary IS 'One row per run and key: number of values, extremes, mean, first and last.';
COMMENT ON COLUMN summary.uid IS 'The run''s unique name, also the name of its folder.';
COMMENT ON COLUMN summary.run IS 'The spec''s name; several runs can share it.';
COMMENT ON COLUMN summary.key IS 'Name of the metric.';
COMMENT ON COLUMN summary.points IS 'Number of values.';
COMMENT ON COLUMN summary.nonfinite IS 'Number of NaN and infinite values; min, mean and max leave them out.';
COMMENT ON COLUMN summary.min IS 'The least finite value.';
COMMENT ON COLUMN summary.mean IS 'The mean of the finite values.';
COMMENT ON COLUMN summary.max IS 'The greatest finite value.';
COMMENT ON COLUMN summary.first_iter IS 'Iteration of the first value.';
COMMENT ON COLUMN summary.last_iter IS 'Iteration of the last value.';
COMMENT ON COLUMN summary.last IS 'The last value, even if it is NaN.';

COMMENT ON VIEW standings IS 'The entries of the league and its archive, each time they were recorded.';
COMMENT ON COLUMN standings.uid IS 'The run''s unique name, also the name of its folder.';
COMMENT ON COLUMN standings.run IS 'The spec''s name; several runs can share it.';
COMMENT ON COLUMN standings.iter IS 'Iteration, counted from 0.';
COMMENT ON COLUMN standings.name IS 'Name of the entry: iter_000500 was frozen after 500 iterations.';
COMMENT ON COLUMN standings.place IS 'league or archive.';
COMMENT ON COLUMN standings.score IS 'The agent''s mean reward against the entry, a moving average: a strong entry has a low score.';
COMMENT ON COLUMN standings.rollouts IS 'Number of finished games against the entry.';
COMMENT ON COLUMN standings.active IS 'Whether the entry is played against.';

COMMENT ON VIEW league IS 'Changes of the league: entries added, archived, recalled, released or dropped.';
COMMENT ON COLUMN league.uid IS 'The run''s unique name, also the name of its folder.';
COMMENT ON COLUMN league.run IS 'The spec''s name; several runs can share it.';
COMMENT ON COLUMN league.iter IS 'Iteration, counted from 0.';
COMMENT ON COLUMN league.event IS 'add, archive, recall, release or drop.';
COMMENT ON COLUMN league.name IS 'Name of the entry: iter_000500 was frozen after 500 iterations.';
COMMENT ON COLUMN league.score IS 'The agent''s mean reward against the entry at that time.';
COMMENT ON COLUMN league.rollouts IS 'Number of finished games against the entry up to then.';
COMMENT ON COLUMN league.digest IS 'Digest of the entry''s parameters.';

COMMENT ON VIEW gates IS 'The latest verdict on each gate ([[expect]]) of each run''s newest attempt.';
COMMENT ON COLUMN gates.uid IS 'The run''s unique name, also the name of its folder.';
COMMENT ON COLUMN gates.run IS 'The spec''s name; several runs can share it.';
COMMENT ON COLUMN gates.seed IS 'Seed of the run.';
COMMENT ON COLUMN gates.metric IS 'The metric that the gate is about.';
COMMENT ON COLUMN gates.place IS 'The value that is judged: last, best, any, or that of an iteration.';
COMMENT ON COLUMN gates.min IS 'The least value that passes.';
COMMENT ON COLUMN gates.max IS 'The greatest value that passes.';
COMMENT ON COLUMN gates.seeds IS 'Number of seeds that the gate is judged over.';
COMMENT ON COLUMN gates.statistic IS 'How the seeds'' values are combined: mean, median, min or max.';
COMMENT ON COLUMN gates.value IS 'The value that was judged.';
COMMENT ON COLUMN gates.standard_error IS 'Standard error of the mean over the seeds.';
COMMENT ON COLUMN gates.judged IS 'Whether there were enough values to judge the gate.';
COMMENT ON COLUMN gates.passed IS 'Whether the gate passed.';
COMMENT ON COLUMN gates.time IS 'Time of the verdict, in UTC.';

COMMENT ON VIEW spans IS 'The iterations for which each attempt''s rows are live: those below the start of every later attempt.';
COMMENT ON COLUMN spans.run_id IS 'Id of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN spans.attempt IS 'Number of the attempt, from 1; each start and each resume is an attempt.';
COMMENT ON COLUMN spans.start_iter IS 'The first iteration of the attempt.';
COMMENT ON COLUMN spans.live_until IS 'The attempt''s rows are live below this iteration.';

COMMENT ON VIEW pieces IS 'Summaries of live values, for the views summary, best and latest: one per part and key where the whole part is live, one per value elsewhere.';
COMMENT ON COLUMN pieces.run_id IS 'Id of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN pieces.key_id IS 'Id of the key within the run.';
COMMENT ON COLUMN pieces.points IS 'Number of values.';
COMMENT ON COLUMN pieces.nonfinite IS 'Number of NaN and infinite values.';
COMMENT ON COLUMN pieces.total IS 'Sum of the finite values.';
COMMENT ON COLUMN pieces.min IS 'The least finite value.';
COMMENT ON COLUMN pieces.min_iter IS 'The first iteration with that value.';
COMMENT ON COLUMN pieces.max IS 'The greatest finite value.';
COMMENT ON COLUMN pieces.max_iter IS 'The first iteration with that value.';
COMMENT ON COLUMN pieces.first_iter IS 'Iteration of the first value.';
COMMENT ON COLUMN pieces.last_iter IS 'Iteration of the last value.';
COMMENT ON COLUMN pieces.last IS 'The last value.';

COMMENT ON VIEW spec_params IS 'The parameters of every run''s spec, one per row.';
COMMENT ON COLUMN spec_params.uid IS 'The run''s unique name, also the name of its folder.';
COMMENT ON COLUMN spec_params.run IS 'The spec''s name; several runs can share it.';
COMMENT ON COLUMN spec_params.path IS 'Path of the parameter, such as optimizer.learning_rate or expect[0].metric.';
COMMENT ON COLUMN spec_params.value IS 'The value as text; lists as JSON.';
COMMENT ON COLUMN spec_params.number IS 'The value as a number, or NULL if it is none.';

COMMENT ON TABLE meta IS 'About this database.';
COMMENT ON COLUMN meta.schema_version IS 'Version of the schema.';

COMMENT ON TABLE runs IS 'All runs. Columns about code and machine describe the newest attempt.';
COMMENT ON COLUMN runs.run_id IS 'Id of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN runs.uid IS 'The run''s unique name, also the name of its folder.';
COMMENT ON COLUMN runs.name IS 'The spec''s name; several runs can share it.';
COMMENT ON COLUMN runs.status IS 'running, completed, gate_missed, stopped, failed or interrupted.';
COMMENT ON COLUMN runs.iterations IS 'Number of iterations done.';
COMMENT ON COLUMN runs.target IS 'Number of iterations that the spec asks for.';
COMMENT ON COLUMN runs.attempts IS 'Number of attempts.';
COMMENT ON COLUMN runs.seed IS 'Seed of the random numbers.';
COMMENT ON COLUMN runs.spec IS 'The resolved spec, as JSON.';
COMMENT ON COLUMN runs.spec_toml IS 'The resolved spec, as TOML.';
COMMENT ON COLUMN runs.spec_digest IS 'Digest of the resolved spec.';
COMMENT ON COLUMN runs.training_digest IS 'Digest of the parts of the spec that affect training, without the seed.';
COMMENT ON COLUMN runs.spec_version IS 'Version of the spec format.';
COMMENT ON COLUMN runs.contract IS 'Version of the random number contract.';
COMMENT ON COLUMN runs.parent IS 'Checkpoint that the network was initialized from, relative to the runs folder.';
COMMENT ON COLUMN runs.git_commit IS 'Git commit of the code.';
COMMENT ON COLUMN runs.git_dirty IS 'Whether the code had uncommitted changes.';
COMMENT ON COLUMN runs.versions IS 'Versions of Python and of the libraries, as JSON.';
COMMENT ON COLUMN runs.platform IS 'JAX platform: cpu, gpu or tpu.';
COMMENT ON COLUMN runs.device_kind IS 'Device kind as JAX names it.';
COMMENT ON COLUMN runs.device_count IS 'Number of devices.';
COMMENT ON COLUMN runs.isa IS 'Instruction set of the processor.';
COMMENT ON COLUMN runs.nproc IS 'Number of processors.';
COMMENT ON COLUMN runs.xla_flags IS 'XLA_FLAGS of the process.';
COMMENT ON COLUMN runs.host IS 'Name of the machine.';
COMMENT ON COLUMN runs.pid IS 'Process id.';
COMMENT ON COLUMN runs.argv IS 'Command line, as JSON.';
COMMENT ON COLUMN runs.started IS 'Time of the first record, in UTC.';
COMMENT ON COLUMN runs.heartbeat IS 'Time of the newest record, in UTC.';
COMMENT ON COLUMN runs.ended IS 'Time at which the newest attempt ended, in UTC.';
COMMENT ON COLUMN runs.exit_reason IS 'Why the newest attempt ended.';
COMMENT ON COLUMN runs.digest IS 'Digest of the last state.';

COMMENT ON TABLE attempts IS 'One row for each start and each resume of a run.';
COMMENT ON COLUMN attempts.run_id IS 'Id of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN attempts.attempt IS 'Number of the attempt, from 1; each start and each resume is an attempt.';
COMMENT ON COLUMN attempts.start_iter IS 'First iteration of the attempt.';
COMMENT ON COLUMN attempts.target IS 'Iteration at which it was to stop.';
COMMENT ON COLUMN attempts.status IS 'How the attempt ended; the values are those of runs.status.';
COMMENT ON COLUMN attempts.iterations IS 'Number of iterations done when it ended, those of earlier attempts included.';
COMMENT ON COLUMN attempts.spec IS 'The resolved spec, as JSON, if it differs from the previous attempt''s.';
COMMENT ON COLUMN attempts.git_commit IS 'Git commit of the code.';
COMMENT ON COLUMN attempts.git_dirty IS 'Whether the code had uncommitted changes.';
COMMENT ON COLUMN attempts.versions IS 'Versions of Python and of the libraries, as JSON.';
COMMENT ON COLUMN attempts.platform IS 'JAX platform: cpu, gpu or tpu.';
COMMENT ON COLUMN attempts.device_kind IS 'Device kind as JAX names it.';
COMMENT ON COLUMN attempts.device_count IS 'Number of devices.';
COMMENT ON COLUMN attempts.isa IS 'Instruction set of the processor.';
COMMENT ON COLUMN attempts.nproc IS 'Number of processors.';
COMMENT ON COLUMN attempts.xla_flags IS 'XLA_FLAGS of the process.';
COMMENT ON COLUMN attempts.host IS 'Name of the machine.';
COMMENT ON COLUMN attempts.pid IS 'Process id.';
COMMENT ON COLUMN attempts.argv IS 'Command line, as JSON.';
COMMENT ON COLUMN attempts.started IS 'Time of the first record, in UTC.';
COMMENT ON COLUMN attempts.ended IS 'Time at which it ended, in UTC.';
COMMENT ON COLUMN attempts.exit_reason IS 'Why it ended.';
COMMENT ON COLUMN attempts.digest IS 'Digest of the last state.';

COMMENT ON TABLE params IS 'The parameters of every run''s spec; the view spec_params adds uid and name.';
COMMENT ON COLUMN params.run_id IS 'Id of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN params.path IS 'Path of the parameter.';
COMMENT ON COLUMN params.value IS 'The value as text; lists as JSON.';

COMMENT ON TABLE keys IS 'The metrics that each run declares.';
COMMENT ON COLUMN keys.run_id IS 'Id of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN keys.key_id IS 'Id of the key within the run, in the order of the payload.';
COMMENT ON COLUMN keys.name IS 'Name of the metric.';
COMMENT ON COLUMN keys.dtype IS 'int or float.';
COMMENT ON COLUMN keys.unit IS 'Unit of the metric.';
COMMENT ON COLUMN keys.doc IS 'Description of the metric.';
COMMENT ON COLUMN keys.phase IS 'The phase that computes it.';
COMMENT ON COLUMN keys.wall_clock IS 'Whether it depends on wall-clock time, so that it differs between equal runs.';

COMMENT ON TABLE iters IS 'One row for each iteration of each attempt.';
COMMENT ON COLUMN iters.run_id IS 'Id of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN iters.attempt IS 'Number of the attempt, from 1; each start and each resume is an attempt.';
COMMENT ON COLUMN iters.iter IS 'Iteration, counted from 0.';
COMMENT ON COLUMN iters.time IS 'Time at which the iteration ended, in UTC.';
COMMENT ON COLUMN iters.digest IS 'Digest of the state after the iteration: equal digests mean bitwise equal states.';

COMMENT ON TABLE metrics IS 'Every value of every attempt; the view metric shows the live ones by name.';
COMMENT ON COLUMN metrics.run_id IS 'Id of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN metrics.attempt IS 'Number of the attempt, from 1; each start and each resume is an attempt.';
COMMENT ON COLUMN metrics.iter IS 'Iteration, counted from 0.';
COMMENT ON COLUMN metrics.key_id IS 'Id of the key within the run.';
COMMENT ON COLUMN metrics.value32 IS 'The value if it is a float32 number.';
COMMENT ON COLUMN metrics.value64 IS 'The value if it is not.';
COMMENT ON COLUMN metrics.value IS 'The value, from value32 or value64.';
COMMENT ON COLUMN metrics.part IS 'Number of the sorted part that the value belongs to; 0 if it is not sorted yet.';

COMMENT ON TABLE sorted_parts IS 'Summary of each key of an attempt in each sorted part of metrics.';
COMMENT ON COLUMN sorted_parts.run_id IS 'Id of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN sorted_parts.part IS 'Number of the part.';
COMMENT ON COLUMN sorted_parts.attempt IS 'Number of the attempt, from 1; each start and each resume is an attempt.';
COMMENT ON COLUMN sorted_parts.key_id IS 'Id of the key within the run.';
COMMENT ON COLUMN sorted_parts.points IS 'Number of values.';
COMMENT ON COLUMN sorted_parts.nonfinite IS 'Number of NaN and infinite values.';
COMMENT ON COLUMN sorted_parts.total IS 'Sum of the finite values.';
COMMENT ON COLUMN sorted_parts.min IS 'The least finite value.';
COMMENT ON COLUMN sorted_parts.min_iter IS 'The first iteration with that value.';
COMMENT ON COLUMN sorted_parts.max IS 'The greatest finite value.';
COMMENT ON COLUMN sorted_parts.max_iter IS 'The first iteration with that value.';
COMMENT ON COLUMN sorted_parts.first_iter IS 'Iteration of the first value.';
COMMENT ON COLUMN sorted_parts.last_iter IS 'Iteration of the last value.';
COMMENT ON COLUMN sorted_parts.last IS 'The last value.';

COMMENT ON TABLE checkpoints IS 'One row per checkpoint, with its newest state.';
COMMENT ON COLUMN checkpoints.run_id IS 'Id of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN checkpoints.attempt IS 'Number of the attempt, from 1; each start and each resume is an attempt.';
COMMENT ON COLUMN checkpoints.iteration IS 'Number of iterations done at the checkpoint.';
COMMENT ON COLUMN checkpoints.kind IS 'periodic, milestone, best, emergency or final.';
COMMENT ON COLUMN checkpoints.state IS 'begun, committed, deleted or failed.';
COMMENT ON COLUMN checkpoints.path IS 'Its directory, relative to the runs folder.';
COMMENT ON COLUMN checkpoints.bytes IS 'Size in bytes.';
COMMENT ON COLUMN checkpoints.sha256 IS 'Digest of its files.';
COMMENT ON COLUMN checkpoints.score IS 'Value of the metric, for a checkpoint of kind best.';
COMMENT ON COLUMN checkpoints.seconds IS 'Seconds that writing it took.';
COMMENT ON COLUMN checkpoints.blocking_seconds IS 'Seconds that training waited for it.';
COMMENT ON COLUMN checkpoints.error IS 'Reason why it failed.';
COMMENT ON COLUMN checkpoints.time IS 'Time of the newest record about it, in UTC.';

COMMENT ON TABLE events IS 'Events of runs: compilations, time spent, warnings, saves, gates, changes of the league.';
COMMENT ON COLUMN events.run_id IS 'Id of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN events.attempt IS 'Number of the attempt, from 1; each start and each resume is an attempt.';
COMMENT ON COLUMN events.iter IS 'Iteration, counted from 0.';
COMMENT ON COLUMN events.time IS 'Time of the event, in UTC.';
COMMENT ON COLUMN events.kind IS 'Kind of the event; docs/store.md lists the kinds.';
COMMENT ON COLUMN events.payload IS 'Details of the event, as JSON.';

COMMENT ON TABLE league_standings IS 'The entries of the league and its archive as recorded; the view standings shows the live ones.';
COMMENT ON COLUMN league_standings.run_id IS 'Id of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN league_standings.attempt IS 'Number of the attempt, from 1; each start and each resume is an attempt.';
COMMENT ON COLUMN league_standings.iter IS 'Iteration, counted from 0.';
COMMENT ON COLUMN league_standings.name IS 'Name of the entry.';
COMMENT ON COLUMN league_standings.place IS 'league or archive.';
COMMENT ON COLUMN league_standings.score IS 'The agent''s mean reward against the entry, a moving average.';
COMMENT ON COLUMN league_standings.rollouts IS 'Number of finished games against the entry.';
COMMENT ON COLUMN league_standings.active IS 'Whether the entry is played against.';

COMMENT ON TABLE histograms IS 'Counts by bin, for example how often an evaluated agent chose each action.';
COMMENT ON COLUMN histograms.run_id IS 'Id of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN histograms.attempt IS 'Number of the attempt, from 1; each start and each resume is an attempt.';
COMMENT ON COLUMN histograms.iter IS 'Iteration, counted from 0.';
COMMENT ON COLUMN histograms.name IS 'Name of the histogram.';
COMMENT ON COLUMN histograms.counts IS 'The count of each bin.';

COMMENT ON TABLE digests IS 'Digests of parts of the state; iters has the digest of the whole state.';
COMMENT ON COLUMN digests.run_id IS 'Id of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN digests.attempt IS 'Number of the attempt, from 1; each start and each resume is an attempt.';
COMMENT ON COLUMN digests.iter IS 'Iteration, counted from 0.';
COMMENT ON COLUMN digests.scope IS 'leaf or phase.';
COMMENT ON COLUMN digests.name IS 'Name of the leaf or phase.';
COMMENT ON COLUMN digests.digest IS 'Digest of the leaf or of the phase''s output.';

COMMENT ON TABLE tags IS 'The tags of runs.';
COMMENT ON COLUMN tags.run_id IS 'Id of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN tags.tag IS 'The tag.';

COMMENT ON TABLE notes IS 'The notes on runs.';
COMMENT ON COLUMN notes.run_id IS 'Id of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN notes.time IS 'Time at which it was written, in UTC.';
COMMENT ON COLUMN notes.note IS 'Text of the note.';

COMMENT ON TABLE journal_pos IS 'How far the ingest has read each journal.';
COMMENT ON COLUMN journal_pos.run_id IS 'Id of the run: a hash of its uid, the same in every database.';
COMMENT ON COLUMN journal_pos.uid IS 'The run''s unique name, also the name of its folder.';
COMMENT ON COLUMN journal_pos.position IS 'Number of bytes of the journal that are in the database.';
COMMENT ON COLUMN journal_pos.size IS 'Size of the journal at that time.';
COMMENT ON COLUMN journal_pos.tail IS 'The last bytes that were read, to recognize the journal.';

COMMENT ON MACRO TABLE find_runs IS 'find_runs(word): the runs that a word selects, newest first. The word is a uid, latest, a name, a tag, or the start of a uid; found_by says which.';
COMMENT ON MACRO run_uid IS 'run_uid(run): the uid of the run that a word selects. The word is a uid, latest, a name or a tag (the newest such run), or the start of one run''s uid. An error if there is no such run.';
COMMENT ON MACRO param IS 'param(run, path): the value of a parameter of a run''s spec, as text: param(uid, ''optimizer.learning_rate'').';
COMMENT ON MACRO smooth IS 'smooth(value, iter, width): the mean of the last width values in the order of iter; values that are not finite are left out. smooth(value, iter, width, uid) averages within each run.';
COMMENT ON MACRO TABLE progress IS 'progress(run): the live iterations of a run, with time, and seconds of training and samples so far. samples := KEY uses another metric than iteration/num_samples.';
COMMENT ON MACRO TABLE series IS 'series(run, key): a metric of a run by iteration: iter, value, and seconds of training and samples so far. run is a uid, latest, a name, a tag, or the start of a uid.';
COMMENT ON MACRO TABLE run_diff IS 'run_diff(a, b): the parameters in which the specs of two runs differ: path, a, b.';
