"""Signals that ask for a stop, as one process hears them."""

import signal
import subprocess
import sys

import pytest

from jaxpot.signals import STOPS, StopRequest

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")


def test_which_signals_ask_for_a_stop():
    assert tuple(each.name for each in STOPS) == NAMES


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_is_noted_and_the_handlers_are_given_back(number):
    before = [signal.getsignal(each) for each in STOPS]
    with StopRequest() as stop:
        signal.raise_signal(number)
    assert (stop.signal, stop.exit_code) == (number, 128 + number)
    assert [signal.getsignal(each) for each in STOPS] == before


@pytest.mark.parametrize("number", STOPS[2:])
def test_what_a_scheduler_repeats_or_mixes_does_not_cut_a_save_short(number):
    with StopRequest() as stop:
        for _ in range(3):
            signal.raise_signal(number)
        signal.raise_signal(signal.SIGTERM)
    assert (stop.signal, stop.advice) == (number, "")


def test_ctrl_c_and_sigterm_insist_when_they_come_twice():
    with pytest.raises(KeyboardInterrupt), StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.advice == "; again: stop at once"
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(SystemExit) as end, StopRequest():
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
    assert end.value.code == 143


@pytest.mark.parametrize("number", STOPS[1:])
def test_a_signal_that_is_ignored_at_the_start_stays_ignored(number):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with StopRequest() as stop:
            signal.raise_signal(number)
        assert stop.signal is None
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def code_of(program):
    text = f"import signal, sys\nfrom jaxpot.signals import *\n{program}"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_a_command_that_a_signal_ends_cleans_up():
    program = "end_on_signals()\ntry: signal.raise_signal({})\nfinally: print('clean')"
    for number in STOPS[1:]:
        assert code_of(program.format(int(number))) == (128 + number, "clean\n", "")


def test_processes_beside_a_run_leave_the_signals_to_it():
    assert code_of("leave_to_parent()\nfor each in STOPS: signal.raise_signal(each)") == (0, "", "")
