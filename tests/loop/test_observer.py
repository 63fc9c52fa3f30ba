import pytest

from jaxpot.loop.observer import Observers
from tests.trackers.stream import checkpoint, info, payload, result, standings


class Recorder:
    """An observer that writes down its calls."""

    def __init__(self):
        self.calls = []

    def started(self, info):
        self.calls.append(("started", info))

    def compiling(self, program):
        self.calls.append(("compiling", program))

    def compiled(self, program, seconds):
        self.calls.append(("compiled", program, seconds))

    def payload(self, payload):
        self.calls.append(("payload", payload))

    def checkpoint(self, record):
        self.calls.append(("checkpoint", record))

    def standings(self, iteration, standings):
        self.calls.append(("standings", iteration, standings))

    def warning(self, text):
        self.calls.append(("warning", text))

    def finished(self, result):
        self.calls.append(("finished", result))


class Broken(Recorder):
    """An observer whose terminal is gone."""

    def payload(self, payload):
        raise BrokenPipeError("gone")


def tell_everything(observer):
    observer.started(info())
    observer.compiling("init")
    observer.compiled("init", 0.5)
    observer.payload(payload(0))
    observer.checkpoint(checkpoint(100))
    observer.standings(100, standings(100))
    observer.warning("odd")
    observer.finished(result())


def test_every_call_reaches_every_observer():
    alone, first, second = Recorder(), Recorder(), Recorder()
    tell_everything(alone)
    tell_everything(Observers(first, second))
    assert repr(first.calls) == repr(second.calls) == repr(alone.calls)
    assert len(alone.calls) == 8


def test_no_observer_is_fine():
    tell_everything(Observers())


def test_an_observer_that_raises_is_dropped_and_the_others_are_warned():
    broken, whole = Broken(), Recorder()
    observers = Observers(broken, whole)
    tell_everything(observers)
    assert [call[0] for call in broken.calls] == ["started", "compiling", "compiled"]
    assert ("warning", "Broken failed and was detached: BrokenPipeError('gone')") in whole.calls
    assert whole.calls[-1][0] == "finished"
    ((failed, error),) = observers.failures
    assert failed is broken
    assert isinstance(error, BrokenPipeError)


def test_an_interrupt_is_not_swallowed():
    class Interrupted(Recorder):
        def payload(self, payload):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tell_everything(Observers(Interrupted()))
