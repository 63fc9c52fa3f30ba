"""Composition: `extends`, overrides, and where each value came from."""

import pytest

from jaxpot.spec.faults import SpecError
from jaxpot.spec.source.document import DROPPED, compose
from jaxpot.spec.source.extends import MAX_EXTENDS


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Writes files by name into a fresh working directory."""
    monkeypatch.chdir(tmp_path)

    def write(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")

    return write


def refused(*arguments):
    with pytest.raises(SpecError) as error:
        compose(*arguments)
    return str(error.value).splitlines()


def trail(document, *path):
    return [(written.value, str(written.origin)) for written in document.provenance.trail(path)]


def test_a_table_merges_and_an_array_replaces(files):
    files(
        base='tags = ["a", "b"]\nenv.kind = "pgx"\n[collect]\nnum_steps = 9\nselfplay.num_envs = 2',
        spec='extends = "base.toml"\ntags = ["c"]\n[collect]\nselfplay = { num_envs = 4 }',
    )
    document = compose("spec.toml")
    assert document.data == {
        "tags": ["c"],
        "env": {"kind": "pgx"},
        "collect": {"num_steps": 9, "selfplay": {"num_envs": 4}},
    }
    assert document.files == ("spec.toml", "base.toml")


def test_later_bases_win_and_the_file_itself_wins_over_all(files):
    files(
        one="a = 1\nb = 1\nc = 1",
        two="b = 2\nc = 2",
        spec='extends = ["one.toml", "two.toml"]\nc = 3',
    )
    assert compose("spec.toml").data == {"a": 1, "b": 2, "c": 3}


def test_a_file_that_is_reached_twice_counts_once(files):
    files(
        root="a = 0\nb = 0",
        one='extends = "root.toml"\na = 1',
        two='extends = "root.toml"\nb = 2',
        spec='extends = ["one.toml", "./two.toml"]',
    )
    document = compose("spec.toml")
    assert document.data == {"a": 1, "b": 2}
    assert document.files == ("spec.toml", "one.toml", "root.toml", "two.toml")


def test_a_base_is_looked_up_from_the_file_that_names_it(files, tmp_path):
    (tmp_path / "below" / "deeper").mkdir(parents=True)
    (tmp_path / "below" / "spec.toml").write_text('extends = "deeper/base.toml"')
    (tmp_path / "below" / "deeper" / "base.toml").write_text('extends = "../../root.toml"')
    (tmp_path / "root.toml").write_text("seed = 3")
    document = compose("below/spec.toml")
    assert document.data == {"seed": 3}
    assert document.files == ("below/spec.toml", "below/deeper/base.toml", "root.toml")


def test_another_kind_replaces_the_table(files):
    files(
        base='[optimizer]\nkind = "adamw"\nb1 = 0.8\nlearning_rate = 0.1',
        spec='extends = "base.toml"\n[optimizer]\nkind = "sgd"\nlearning_rate = 0.2',
    )
    document = compose("spec.toml")
    assert document.data == {"optimizer": {"kind": "sgd", "learning_rate": 0.2}}
    assert trail(document, "optimizer", "b1") == [
        (0.8, "base.toml:3"),
        (DROPPED, "spec.toml:3"),
    ]
    assert document.provenance.origin(("optimizer", "b1")) is None


def test_the_same_kind_merges(files):
    files(
        base='[optimizer]\nkind = "adamw"\nb1 = 0.8',
        spec='extends = "base.toml"\n[optimizer]\nkind = "adamw"\nb2 = 0.9',
    )
    assert compose("spec.toml").data == {"optimizer": {"kind": "adamw", "b1": 0.8, "b2": 0.9}}


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_overrides_does_not_lose_any(files, order):
    files(spec='[optimizer]\nkind = "adamw"\nb1 = 0.8')
    overrides = ["optimizer.learning_rate=0.5", 'optimizer.kind="sgd"', "seed=4"][::order]
    assert compose("spec.toml", overrides).data == {
        "optimizer": {"kind": "sgd", "learning_rate": 0.5},
        "seed": 4,
    }


def test_of_two_overrides_of_one_path_the_later_wins(files):
    files(spec="seed = 0")
    document = compose("spec.toml", ["seed=1", "seed=2"])
    assert document.data == {"seed": 2}
    assert trail(document, "seed") == [(0, "spec.toml:1"), (1, "-s seed=1"), (2, "-s seed=2")]


def test_an_override_makes_the_tables_on_its_way(files):
    files(spec="a = 1")
    document = compose("spec.toml", ["b.c.d=[1, { e = 2 }]", "a.x=1"])
    assert document.data == {"a": {"x": 1}, "b": {"c": {"d": [1, {"e": 2}]}}}
    assert str(document.provenance.nearest(("b", "c", "d", 1, "e"))) == "-s b.c.d=[1, { e = 2 }]"


def test_an_override_reaches_into_arrays(files):
    files(spec='tags = ["a", "b"]\n[[expect]]\nmetric = "m"\n[[expect]]\nmetric = "n"')
    document = compose("spec.toml", ["expect.1.max=0.5", 'tags.0="z"', '"tags".1="y"'])
    assert document.data == {
        "tags": ["z", "y"],
        "expect": [{"metric": "m"}, {"metric": "n", "max": 0.5}],
    }
    assert str(document.provenance.nearest(("expect", 1, "metric"))) == "spec.toml:5"
    assert str(document.provenance.nearest(("expect", 1, "max"))) == "-s expect.1.max=0.5"


def test_values_are_not_shared_with_their_history(files):
    files(base="[a]\nb = { c = 1 }", spec='extends = "base.toml"\na.b.c = 2')
    document = compose("spec.toml")
    assert trail(document, "a") == [
        ({"b": {"c": 1}}, "base.toml:1"),
        ({"b": {"c": 2}}, "spec.toml:2"),
    ]


def test_what_replaces_a_table_takes_its_keys_away(files):
    files(base="[a]\nb = { c = 1 }", spec='extends = "base.toml"\na = 3')
    document = compose("spec.toml")
    assert trail(document, "a", "b", "c") == [(1, "base.toml:2"), (DROPPED, "spec.toml:2")]
    assert str(document.provenance.nearest(("a", "b", "c"))) == "spec.toml:2"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("optimizer", "learning_rate"), "base.toml:3"),
        (("optimizer", "kind"), "spec.toml:2"),
        (("optimizer", "missing", "key"), "spec.toml:2"),
        (("collect", "selfplay", "num_envs"), "spec.toml:4"),
        (("nothing",), "spec.toml"),
        ((), "spec.toml"),
    ],
)
def test_the_place_of_a_fault(files, path, place):
    files(
        base='[optimizer]\nkind = "sgd"\nlearning_rate = 0.1\n',
        spec='extends = "base.toml"\noptimizer.kind = "sgd"\n[collect]\nselfplay.num_envs = 2\n',
    )
    assert str(compose("spec.toml").provenance.nearest(path)) == place


def test_faults_of_composition(files, snapshot):
    files(
        good="seed = 1",
        cycle='extends = "other.toml"',
        other='extends = ["good.toml", "cycle.toml"]',
        itself='\nextends = "itself.toml"',
        number="extends = 3",
        numbers='extends = ["good.toml",\n 3,\n ""]',
        missing='name = "x"\nextends = "god.toml"',
        broken='extends = "syntax.toml"',
        syntax="seed =",
        folder='extends = "."',
        null='extends = "a\\u0000b\\nc"',
    )
    names = ("cycle", "itself", "number", "numbers", "missing", "broken", "folder", "null")
    assert {name: refused(f"{name}.toml") for name in names} == snapshot


def test_faults_of_overrides(files, snapshot):
    files(spec='tags = ["a"]\nexpect = []')
    overrides = [
        "name=ttt",
        "name=my run",
        "runtime.deterministic=False",
        "seed=",
        "seed",
        "=3",
        '"unclosed=3',
        "seed=1\nname=2",
        "seed=1\n[env]",
        "seed=1_",
        "seed=" + "9" * 30,
        "seed=" + "9" * 5000,
        "tags=" + "[" * 500,
        "tags=" + "[" * 50 + "]" * 50,
        "a." * 50 + "a=1",
        "tags.1='b'",
        "tags.x='b'",
        "tags." + "9" * 5000 + "='b'",
        "expect.0.max=1",
        "extends='good.toml'",
    ]
    every = [line for override in overrides for line in refused("spec.toml", [override])]
    assert every == snapshot
    read = [override for override in overrides if not override.startswith(("tags.", "expect."))]
    assert len(refused("spec.toml", read)) == len(read)


def test_a_chain_that_never_ends_is_refused(files):
    files(**{f"f{i}": f'extends = "f{i + 1}.toml"' for i in range(MAX_EXTENDS)}, f16="seed = 1")
    assert compose("f1.toml").data == {"seed": 1}
    assert refused("f0.toml") == [
        "f15.toml:1: extends: too long a chain of files that extend one another; "
        "allowed: at most 16 files [extends-too-long]"
    ]


def test_faults_of_several_files_are_all_told(files):
    files(spec='extends = ["one.toml", "two.toml", "three.toml"]', one="a", two="a = 1\na = 2")
    lines = refused("spec.toml", ["seed=x"])
    assert [line.rsplit("[", 1)[1] for line in lines] == [
        "toml-syntax]",
        "toml-duplicate-key]",
        "file-missing]",
        "override-value]",
    ]


BASE = """
name = "x"
expect = [{ metric = "a", max = 1 }, { metric = "b", max = 2 }, { metric = "c", max = 3 }]
tags = ["a", "b"]
[algorithm]
kind = "ppo"
[eval.one]
kind = "random"
every = 2
[eval.two]
kind = "random"
every = 4
"""


def test_none_in_place_of_a_table_or_an_array_removes_it(files):
    files(
        base=BASE,
        spec='extends = "base.toml"\nexpect = "none"\nalgorithm = "none"\n[eval]\none = "none"',
        again='extends = "spec.toml"\n[eval.one]\nkind = "random"',
    )
    document = compose("spec.toml")
    assert document.data == {
        "name": "x",
        "tags": ["a", "b"],
        "eval": {"two": {"kind": "random", "every": 4}},
    }
    assert trail(document, "eval", "one")[-1] == ("none", "spec.toml:5")
    assert trail(document, "eval", "one", "every")[-1] == (DROPPED, "spec.toml:5")
    assert document.provenance.removed(("eval", "one"))
    again = compose("again.toml")
    assert again.data["eval"]["one"] == {"kind": "random"}
    assert not again.provenance.removed(("eval", "one"))


@pytest.mark.parametrize("order", [1, -1])
def test_overrides_remove_by_the_same_word(files, order):
    files(base=BASE, spec='extends = "base.toml"')
    overrides = ['eval.one="none"', 'expect.0="none"', "expect.2.max=9", 'tags="none"'][::order]
    document = compose("spec.toml", overrides)
    assert document.data == {
        "name": "x",
        "algorithm": {"kind": "ppo"},
        "eval": {"two": {"kind": "random", "every": 4}},
        "expect": [{"metric": "b", "max": 2}, {"metric": "c", "max": 9}],
    }
    assert [where for _, where in trail(document, "expect", 1, "max")] == [
        "base.toml:3",
        "-s expect.2.max=9",
    ]
    assert trail(document, "expect", 2, "max") == []


def test_none_in_place_of_a_value_is_a_value(files):
    files(base='name = "x"\n[model]\nnorm = "layer"', spec='extends = "base.toml"')
    document = compose("spec.toml", ['model.norm="none"', 'league="none"'])
    assert document.data == {"name": "x", "model": {"norm": "none"}, "league": "none"}


@pytest.mark.parametrize("override", ["eval={}", "eval={one={}}", "algorithm={}"])
def test_an_empty_table_that_changes_nothing_is_refused(files, override):
    files(spec=BASE)
    assert refused("spec.toml", [override])[0].endswith("[empty-table]")


def test_an_empty_table_over_nothing_or_an_empty_one_is_a_table(files):
    files(base="[debug]", spec='extends = "base.toml"\n[debug]\n[league]')
    assert compose("spec.toml", ["target={}"]).data == {"debug": {}, "league": {}, "target": {}}


def test_an_empty_header_in_a_file_is_no_less_refused(files):
    files(base=BASE, spec='extends = "base.toml"\n[eval]')
    assert refused("spec.toml") == [
        "spec.toml:2: eval: an empty table changes nothing of the one that it is merged into; "
        'allowed: keys to change, or `eval = "none"`, which removes it [empty-table]'
    ]


@pytest.mark.parametrize(
    ("override", "suggestion"),
    [
        ("~eval.one", 'eval.one="none"'),
        ("~eval.one=x", 'eval.one="none"'),
        ("!eval", 'eval="none"'),
        ("+seed=3", "seed=3"),
        ("++seed=3", "seed=3"),
    ],
)
def test_what_hydra_takes_is_named_as_it_is_written_here(files, override, suggestion):
    files(spec=BASE)
    (line,) = refused("spec.toml", [override])
    assert line.endswith(f"did you mean '{suggestion}'? [override-syntax]")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('["a"]', "an array"),
        ("[]", "an array"),
        ("{ a = 1 }", "a table"),
        ("3", "an integer"),
        ("3.5", "a float"),
        ("true", "a boolean"),
        ("2026-11-22", "a date or a time"),
        ("07:30:00", "a date or a time"),
        ("2026-11-22T07:30:00Z", "a date or a time"),
    ],
)
def test_a_base_that_is_no_name_is_called_what_it_is(files, value, words):
    files(spec=f"extends = [{value}]")
    assert f"it is {words}; allowed" in refused("spec.toml")[0]
