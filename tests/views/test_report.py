import base64
import hashlib
import html
import re

import pytest

from jaxpot.errors import UserError
from jaxpot.store import Store
from jaxpot.views.pages import is_ours
from jaxpot.views.report import report_page
from tests.store.journals import complete_run
from tests.views.runs import FAST, uid, write_run
from tests.views.test_pages import HOSTILE, Reader

COMPLETE = "20261122-101530-aaaaaa"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    complete_run(folder, COMPLETE)
    run = write_run(
        folder,
        "b",
        1,
        [{"total_loss": 1.0 / (i + 1), f"eval_{HOSTILE}/win_rate": 0.5} for i in range(9)],
        name=HOSTILE,
        digest=FAST,
        tags=[HOSTILE],
        spec_toml=f"# {HOSTILE}\nname = 1\n",
        end=False,
    )
    grade = {"resumed": {"verdict": "identical", "iterations": 9}}
    grade["other_process"] = {"verdict": HOSTILE}
    run.event("grade", grade)
    run.record("note", text=HOSTILE)
    run.event("warning", {"text": HOSTILE})
    run.record("keys", keys=[{"name": f"eval_{HOSTILE}/win_rate", "doc": HOSTILE}])
    run.end(exit_reason=HOSTILE)
    return Store(folder)


@pytest.fixture(scope="module")
def page(store):
    return report_page(store, [COMPLETE])


def headings(page):
    own = page.partition("<script>")[0]
    return [re.sub("<.*?>", "", h) for h in re.findall(r"<h[123][^>]*>(.*?)</h[123]>", own)]


def test_a_report_has_its_sections(page):
    wanted = ["ttt", "Notes", "Learning gates", "Learning curves", "Details", "Evaluations"]
    wanted += ["League", "Time", "Checkpoints", "Provenance", "Spec"]
    assert headings(page) == wanted
    for text in ("a good one", "passed", "iter_000011", "c0ffee", "name = &#34;ttt&#34;", "kept"):
        assert text in page


def test_every_place_of_a_chart_has_its_data(page):
    places = re.findall(r'data-chart="([^"]*)"', page)
    assert sorted(places) == sorted(re.findall(r'type="application/json" id="([^"]*)"', page))
    assert "league-0" in places
    assert len(places) == 4


def test_a_report_names_nothing_to_load(page):
    own = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""\b(?:src|href)\s*=|url\(|@import|https?:""", own)


def test_the_policy_allows_the_page_s_own_scripts_and_no_others(page):
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    allowed = html.unescape(policy[1])
    assert allowed.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in allowed
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    assert len(scripts) == 2
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert re.findall(r"'sha256-([^']*)'", allowed) == digests


def test_what_strangers_wrote_stays_text(store):
    made = report_page(store, [uid("b", 1), COMPLETE])
    found = Reader(made)
    assert ("id", "injected") not in found.attributes
    assert found.elements.count("script") == 2 + made.count('type="application/json"')
    assert found.text.count(HOSTILE) > 5
    assert "alert(1)</script" not in made
    assert "identical (9 iterations)" in found.text
    assert "other chunking" not in found.text


def test_a_report_of_several_runs_compares_them(store):
    made = report_page(store, [COMPLETE, uid("b", 1)], keys=["total_loss"])
    found = headings(made)
    assert found[:3] == ["2 runs", "Comparison", "Learning curves"]
    assert made.count('class="chart"') == 2
    assert "What their specs say differently" in made
    assert 'href="#run-1"' in made
    assert 'id="run-1"' in made


def test_a_report_of_a_run_without_anything_is_whole(tmp_path):
    write_run(tmp_path, "c", 0, [], end=False)
    made = report_page(Store(tmp_path), [uid("c", 0)])
    assert headings(made) == ["ttt", "Provenance", "Spec"]


def test_an_unknown_key_is_told(store):
    with pytest.raises(UserError, match="did you mean 'total_loss'"):
        report_page(store, [COMPLETE], keys=["total_los"])


def test_a_report_is_known_as_such(tmp_path, page):
    path = tmp_path / "report.html"
    path.write_text(page)
    assert is_ours(path)
    path.write_text("<html>mine</html>")
    assert not is_ours(path)
