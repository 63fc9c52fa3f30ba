"""`jaxpot schema`: to stdout, or to a file."""

import json
from pathlib import Path

from click.testing import CliRunner

from jaxpot.cli.specs import schema_command as command
from jaxpot.errors import UserError
from jaxpot.spec import json_schema


def test_to_stdout():
    assert json.loads(CliRunner().invoke(command, []).stdout) == json_schema()


def test_to_a_file(tmp_path):
    path = tmp_path / "experiment.schema.json"
    done = CliRunner().invoke(command, ["-o", str(path)])
    assert (done.exit_code, done.stdout) == (0, "")
    assert json.loads(path.read_text()) == json_schema()
    assert path.read_text() == CliRunner().invoke(command, []).stdout


def test_a_file_that_cannot_be_written(tmp_path):
    done = CliRunner().invoke(command, ["-o", str(tmp_path / "no" / "x.json")])
    assert isinstance(done.exception, UserError)
    assert "cannot be written: No such file or directory" in str(done.exception)


def test_the_shipped_schema_is_this_one():
    shipped = Path(__file__).parent.parent.parent / "specs" / "experiment.schema.json"
    assert shipped.read_text(encoding="utf-8") == CliRunner().invoke(command, []).stdout
