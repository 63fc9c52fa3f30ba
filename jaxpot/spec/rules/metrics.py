"""The rules on metrics: what `best` and `expect` name is emitted, and when they look at it."""

from collections.abc import Iterator, Mapping
from contextlib import suppress

import attrs

from jaxpot.spec.configs.auxiliary import auxiliary_keys
from jaxpot.spec.configs.collect import Collect
from jaxpot.spec.configs.experiment import Expect
from jaxpot.spec.configs.runtime import Checkpoint
from jaxpot.spec.faults import Fault, Path, nearest
from jaxpot.spec.keys import Cadence, PayloadKey
from jaxpot.spec.payload import (
    CONDITIONS,
    collect_keys,
    collector_timer,
    collector_windows,
    evaluator_keys,
    evaluator_prefix,
    evaluator_start,
    league_keys,
    loop_keys,
    phase_keys,
    timing_keys,
)
from jaxpot.spec.registry import part_keys
from jaxpot.spec.rules.draft import Draft, Unknown
from jaxpot.spec.wording import listed, shown

_EVALUATOR = evaluator_prefix("")


@attrs.frozen
class Emitted:
    """What the payload has, as far as the spec tells.

    Attributes:
      keys: the keys that are known.
      unsure: prefixes of keys that nothing is known about, because what emits them was refused
        or not imported.
    """

    keys: Mapping[str, PayloadKey]
    unsure: tuple[str, ...]

    def find(self, name: str) -> PayloadKey | None:
        """Return the key called `name`; None where nothing emits it.

        Raises:
          Unknown: something that is not known may emit it.
        """
        if name in self.keys:
            return self.keys[name]
        if name.startswith(self.unsure):
            raise Unknown
        return None


def best_cadence(checkpoint: Checkpoint, key: PayloadKey) -> int | None:
    """Return the cadence at which `checkpoint.best` looks at its metric, whose key is `key`.

    None where nothing sets one: the metric is no evaluator's, there are no periodic checkpoints,
    and `best.every` is not given.
    """
    if checkpoint.best is not None and checkpoint.best.every is not None:
        return checkpoint.best.every
    return key.every if key.phase.startswith(_EVALUATOR) else checkpoint.every


def _emitted(draft: Draft) -> Emitted:
    keys = [*loop_keys()]
    unsure: list[str] = []
    try:
        algorithm = part_keys(draft.part("algorithm"), "")
    except Unknown:
        algorithm = None
    if algorithm is None:
        unsure.append("")
    try:
        league = draft.sound("league")
        keys += league_keys(league)
        collect = draft.sound("collect")
        windows = collector_windows(collect, league, draft.part("eval"))
        profile_every = draft.sound("runtime", "profile_every")
        keys += [*collect_keys(windows), *timing_keys(windows, profile_every)]
        unsure += _lacking(collect, windows)
    except Unknown:
        unsure += ["train_vs_", "timings/", "iteration/"]
    try:
        keys += auxiliary_keys(draft.sound("auxiliary"))
    except Unknown:
        unsure += _refused_names(draft, "auxiliary") or [""]
    emitted, more = _evaluator_keys(draft)
    keys += [*(algorithm or ()), *emitted]
    try:
        for name, phase in draft.sound("phases").items():
            known = phase_keys(name, phase)
            unsure += [f"{name}/", f"timings/{name}"] if known is None else []
            keys += known or ()
    except Unknown:
        unsure.append("")
    return Emitted({key.name: key for key in keys}, (*unsure, *more))


def _lacking(collect: Collect, windows: Mapping[str, Cadence]) -> Iterator[str]:
    """Yield prefixes of the keys of collectors that lack what they need: a fault already."""
    for name in ("league", "archive"):
        if getattr(collect, name) is not None and name not in windows:
            yield f"train_vs_{name}/"
            yield f"timings/{collector_timer(name)}"
            yield from ("iteration/league_", "iteration/active_archive_size")


def _evaluator_keys(draft: Draft) -> tuple[list[PayloadKey], list[str]]:
    keys: list[PayloadKey] = []
    unsure: list[str] = []
    refused = _refused_names(draft, "eval")
    for name in refused:
        prefix = evaluator_prefix(name)
        unsure += [f"{prefix}/", f"timings/{prefix}"]
    try:
        evaluators = draft.part("eval")
    except Unknown:
        return [], [_EVALUATOR, "timings/"]
    for name, evaluator in evaluators.items():
        if name in refused:
            continue
        emitted = None
        with suppress(Unknown):
            start = evaluator_start(evaluator, draft.sound("collect"), draft.sound("league"))
            emitted = evaluator_keys(name, evaluator, start)
        if emitted is None:
            prefix = evaluator_prefix(name)
            unsure += [f"{prefix}/", f"timings/{prefix}"]
        else:
            keys += emitted
    return keys, unsure


def _auxiliary_names(draft: Draft) -> Iterator[Fault]:
    taken = {key.name for key in (*loop_keys(), *(part_keys(draft.part("algorithm"), "") or ()))}
    for name in draft.part("auxiliary"):
        if name in taken:
            message = f"{shown(name)} is a key of the payload, as this loss's name would be"
            yield Fault("bad-name", ("auxiliary", name), message, "another name, with a `kind`")


def _refused_names(draft: Draft, section: str) -> list[str]:
    """Return the names in a section of named tables that were refused, if it is not all of it."""
    inside = (path for path in draft.refused if path[0] == section and len(path) > 1)
    return sorted({str(path[1]) for path in inside})


def _expect(draft: Draft) -> Iterator[Fault]:
    emitted = _emitted(draft)
    for index in range(len(draft.part("expect"))):
        try:
            yield from _expect_one(draft, emitted, index)
        except Unknown:
            continue


def _expect_one(draft: Draft, emitted: Emitted, index: int) -> Iterator[Fault]:
    path = ("expect", index)
    key = emitted.find(draft.sound(*path, "metric"))
    if key is None:
        yield _unknown_metric((*path, "metric"), draft.part(*path, "metric"), emitted)
    expect: Expect = draft.sound(*path)
    yield from _bounds(expect, path)
    yield from _seeds(expect, path)
    if key is None:
        return
    if key.when is not None and expect.at not in ("any", "best"):
        message = f"whether that iteration has {key.name} shows only when it runs"
        yield Fault("metric-not-present", (*path, "at"), message, listed(["any", "best"]))
    elif message := _misses(expect, key, draft.sound("iterations")):
        yield Fault("metric-not-present", (*path, "at"), message, _presence(key))


def _bounds(expect: Expect, path: Path) -> Iterator[Fault]:
    if expect.min is None and expect.max is None:
        yield Fault("expect-bounds", path, "no bound", "`min`, `max` or both")
    elif expect.min is not None and expect.max is not None:
        if expect.min > expect.max:
            message = f"{expect.min!r} is above max = {expect.max!r}"
            yield Fault("expect-bounds", (*path, "min"), message, "at most `max`")
        if expect.at == "best":
            message = "the best value is the highest under `min` and the lowest under `max`"
            yield Fault("expect-bounds", (*path, "at"), message, "one bound, `min` or `max`")


def _seeds(expect: Expect, path: Path) -> Iterator[Fault]:
    if expect.seeds == 1:
        if expect.statistic != "mean":
            message = f"missing, and a single run has no {expect.statistic}"
            yield Fault("expect-seeds", (*path, "seeds"), message, "an integer of at least 2")
    elif expect.at == "any":
        message = "of the values that keep the bounds it is any, of which statistics tell nothing"
        yield Fault("expect-seeds", (*path, "at"), message, "`last`, `best` or an iteration")


def _misses(expect: Expect, key: PayloadKey, iterations: int) -> str:
    """Return why a gate's metric is not there when the gate looks; "" where it is."""
    last = iterations - 1
    if isinstance(expect.at, int):
        if expect.at > last:
            return f"the last iteration is {last}, before {expect.at}"
        return "" if key.cadence.fires(expect.at) else f"iteration {expect.at} has no {key.name}"
    if expect.at == "last":
        return "" if key.cadence.fires(last) else f"the last iteration, {last}, has no {key.name}"
    return "" if key.cadence.first(iterations) is not None else f"no iteration has {key.name}"


def _best(draft: Draft) -> Iterator[Fault]:
    path = ("checkpoint", "best")
    if draft.part(*path) is None:
        return
    metric = draft.sound(*path, "metric")
    emitted = _emitted(draft)
    key = emitted.find(metric)
    if key is None:
        yield _unknown_metric((*path, "metric"), metric, emitted)
        return
    every = best_cadence(draft.sound("checkpoint"), key)
    if every is None:
        message = "missing, and there is no `checkpoint.every` in its stead"
        yield Fault("missing-key", (*path, "every"), message, "an integer of at least 1")
    elif key.cadence.first(draft.sound("iterations"), every=every) is None:
        message = f"no iteration of the run that is looked at, every {every}, has {key.name}"
        yield Fault("metric-not-present", (*path, "every"), message, _presence(key))


def _unknown_metric(path: Path, name: str, emitted: Emitted) -> Fault:
    near = nearest(name, emitted.keys)
    prefix = name.partition("/")[0] + "/"
    siblings = [key for key in emitted.keys if key.startswith(prefix)]
    allowed = "" if near else listed(siblings) if siblings else "a key that `jaxpot plan` lists"
    return Fault("unknown-metric", path, f"nothing emits {shown(name)}", allowed, near)


def _presence(key: PayloadKey) -> str:
    """Return where a metric is there, as what a gate may look at."""
    every = "every iteration" if key.every == 1 else f"every {key.every} iterations"
    first = -(-(key.start + 1) // key.every) * key.every - 1
    until = "" if key.until is None else f", before {key.until}"
    when = "" if key.when is None else f", {CONDITIONS[key.when]}"
    return f"where it is there: {every}, first at {first}{until}{when}"


metric_rules = (_auxiliary_names, _expect, _best)
