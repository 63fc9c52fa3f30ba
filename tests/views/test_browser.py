"""A report in a real browser: does it draw, and does its own policy let it."""

import os
import re
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

from jaxpot.store import Store
from jaxpot.views.report import report_page
from tests.store.journals import complete_run
from tests.views.runs import uid, write_run
from tests.views.test_pages import HOSTILE

pytestmark = pytest.mark.slow

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--virtual-time-budget=10000", "--window-size=900,1400"),
)
COMPLETE = "20261122-101530-aaaaaa"


@pytest.fixture(scope="module")
def browser():
    """The browser's path: that of JAXPOT_BROWSER, which must be there, or one that is found."""
    asked = os.environ.get("JAXPOT_BROWSER")
    if asked is not None:
        assert Path(asked).exists(), f"JAXPOT_BROWSER is {asked}, and that is not there"
        return asked
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no chromium is installed; JAXPOT_BROWSER=PATH names one")
    return found


@pytest.fixture(scope="module")
def shown(browser, tmp_path_factory):
    """The page as a browser has it once all is drawn, what it said, and a picture of it."""
    folder = tmp_path_factory.mktemp("browser")
    runs = folder / "runs"
    complete_run(runs, COMPLETE)
    rows = [{"total_loss": 1.0 / (i + 1) if i % 7 else "NaN"} for i in range(50)]
    for seed in (1, 2):
        write_run(runs, "b", seed, rows, name=HOSTILE)
    page, picture = folder / "report.html", folder / "picture.png"
    uids = [COMPLETE, uid("b", 1), uid("b", 2)]
    page.write_text(report_page(Store(runs), uids), encoding="utf-8")
    outputs = ("--dump-dom", f"--screenshot={picture}", f"--user-data-dir={folder / 'profile'}")
    command = [browser, *OPTIONS, "--enable-logging=stderr", *outputs, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr, picture


def test_every_chart_is_drawn(shown):
    dom, _, _ = shown
    assert '<html lang="en" data-drawn="yes">' in dom
    places = re.findall(r"<div [^>]*data-chart[^>]*>", dom)
    assert len(places) == 4
    assert all('data-drawn="yes"' in place for place in places)
    assert len(re.findall(r"<svg [^>]*class=\"marks\"", dom)) == len(places)
    assert sum("total_loss by iteration. ttt" in place for place in places) == 1
    lines = re.findall(r'<g class="mark-line[^>]*>.*?</g>', dom, flags=re.DOTALL)
    assert len(lines) >= 3
    assert all(re.search(r'd="M[^"]{20,}"', line) for line in lines)
    # A path starts again after each gap.
    assert any(line.count("M") > 5 for line in lines)
    assert re.search(r'<g class="mark-area[^>]*>.*?d="M', dom, flags=re.DOTALL)
    assert dom.count('aria-roledescription="bar"') > 5


def test_what_strangers_wrote_made_no_element(shown):
    dom, _, _ = shown
    assert 'id="injected"' not in dom
    assert "&lt;/script&gt;&lt;script id='injected'&gt;" in dom


def test_the_policy_was_not_in_the_way(shown):
    _, reported, _ = shown
    assert "Content Security Policy" not in reported
    assert "Uncaught" not in reported


def test_the_picture_is_not_blank(shown):
    data = shown[2].read_bytes()
    assert data.startswith(b"\x89PNG")
    pixels, position = b"", 8
    while position < len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] == b"IDAT":
            pixels += data[position + 8 : position + 8 + length]
        position += 12 + length
    plain = zlib.decompress(pixels)
    assert len(plain) > 900 * 1400 * 3
    assert len(set(plain)) > 100
    assert sum(plain[i] not in (0, 255) for i in range(0, len(plain), 997)) > 50
