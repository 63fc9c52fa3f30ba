"""The pages for users of other tools name commands and options that exist."""

import re
import shlex

import click
import pytest

from jaxpot.cli.main import cli
from jaxpot.spec import load
from tests.docs.pages import blocks, page

PAGES = ("docs/from-hydra.md", "docs/from-wandb.md")


def commands(text):
    """Yield each jaxpot command line of a page, in a block or in a sentence."""
    for line in re.findall(r"^ *jaxpot (.*)$", text, flags=re.MULTILINE):
        yield shlex.split(line)
    for line in re.findall(r"`jaxpot ([^`]+)`", text):
        yield shlex.split(line)


@pytest.mark.parametrize("name", PAGES)
def test_commands_and_options_are_there(name):
    found = list(commands(page(name)))
    assert len(found) > 10
    for verb, *words in found:
        command = cli.get_command(click.Context(cli), verb)
        known = {option for parameter in command.params for option in parameter.opts}
        used = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert used <= known, (verb, used - known)


def test_the_moved_config_is_a_spec(tmp_path):
    (text,) = blocks(page(PAGES[0]), "toml")
    path = tmp_path / "ttt.toml"
    path.write_text(text, encoding="utf-8")
    changes = ["optimizer.learning_rate=1e-3", "model.hidden_dims=[128, 128]"]
    assert load(path, overrides=changes).experiment.name == "ttt"


def test_the_sinks_fit_a_spec(tmp_path):
    (spec,), (sinks,) = (blocks(page(name), "toml") for name in PAGES)
    path = tmp_path / "ttt.toml"
    path.write_text(f"{spec}\n{sinks}", encoding="utf-8")
    assert sorted(load(path).experiment.sinks) == ["tensorboard", "wandb"]
