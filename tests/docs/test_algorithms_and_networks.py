"""docs/alphazero.md and docs/networks.md: their tables are the classes', their specs load."""

from __future__ import annotations

import re

import attrs
import pytest

from jaxpot.spec import AlphaZero, Search, load
from jaxpot.spec.configs.models import needs_board
from jaxpot.spec.faults import CODES
from jaxpot.spec.registry import MODELS
from tests.docs.pages import ROOT, blocks, page

ALPHAZERO, NETWORKS = page("docs/alphazero.md"), page("docs/networks.md")
ROWS = re.compile(r"^\| `(\w+)` \| (`[^`]*`|[\d.]+)(?:, [^|]*)? \|", re.MULTILINE)


def options(section):
    """Returns the keys that a section's tables have, with their defaults as TOML has them."""
    return {key: default.strip("`") for key, default in ROWS.findall(section)}


def defaults(*configs):
    """Returns each option's default, where it has an effect."""
    found = {}
    for config in configs:
        for name, value in attrs.asdict(config).items():
            if value is not None:
                found.setdefault(name, f'"{value}"' if isinstance(value, str) else str(value))
    return found


def test_alphazeros_options_are_there_with_their_defaults():
    every = (
        AlphaZero(),
        AlphaZero(policy="muzero", value_target="n_step"),
        AlphaZero(value_target="lambda"),
    )
    section = ALPHAZERO.partition("## Options")[2].partition("## What is refused")[0]
    assert options(section) == defaults(*every)
    section = ALPHAZERO.partition("## Evaluating with a search")[2].partition("## Randomness")[0]
    assert options(section) == defaults(Search())


def test_every_model_is_in_the_table():
    table = re.findall(r"^\| `(\w+)` \| (any|`\[H, W, C\]`) \| ", NETWORKS, re.MULTILINE)
    found = {kind: observation != "any" for kind, observation in table}
    assert found == {row.kind: needs_board(row.config) for row in MODELS.rows}


def test_shared_options_are_of_the_models_that_are_named():
    models = {row.kind: {field.name for field in attrs.fields(row.config)} for row in MODELS.rows}
    rows = re.findall(r"^\| `(\w+)` \| (all|`[`\w, ]+`) \| ", NETWORKS, re.MULTILINE)
    assert {key for key, _ in rows} == {"activation", "value_head", "dropout", "dtype", "memory"}
    for key, named in rows:
        having = {kind for kind, fields in models.items() if key in fields}
        assert having == (set(models) if named == "all" else set(re.findall(r"\w+", named)))


@pytest.mark.parametrize("text", [ALPHAZERO, NETWORKS], ids=["alphazero", "networks"])
def test_codes_that_are_named_exist(text):
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", text))
    assert named
    assert named <= set(CODES)


@pytest.mark.parametrize(
    ("block", "spec"),
    [
        (blocks(ALPHAZERO, "toml")[0], "ttt_alphazero"),
        (blocks(ALPHAZERO, "toml")[1], "ttt_alphazero"),
        (blocks(NETWORKS, "toml")[0], "kuhn_poker_lstm"),
    ],
)
def test_what_is_shown_fits_the_shipped_specs(block, spec, tmp_path):
    base = ROOT / "specs" / f"{spec}.toml"
    shown = tmp_path / "shown.toml"
    shown.write_text(f'extends = "{base}"\n{block}', encoding="utf-8")
    assert load(shown).experiment.algorithm == load(base).experiment.algorithm
