"""The report of the demo data, as a browser lays it out."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace

import pytest

from mlrec.evaluation.protocol import evaluate
from mlrec.evaluation.replay.replay import replay
from mlrec.evaluation.report.data import read_picture
from mlrec.evaluation.report.page import render_report
from mlrec.evaluation.side_by_side import SideBySide
from mlrec.settings import EvaluateSettings, ReplaySettings
from tests.processes import CHROMIUM


@pytest.fixture(scope="module")
def picture(demo):
    return read_picture(demo)


@pytest.fixture(scope="module")
def report(demo, few, picture):
    settings = EvaluateSettings(baselines=("popularity", "cosine"), resamples=1000)
    evaluation = evaluate(demo, settings)
    later = evaluate(few, replace(settings, protocol="global-time"))
    replayed = replay(few, ReplaySettings(held_out_share=0.1, resamples=1000))
    return render_report(
        [evaluation],
        replayed,
        picture,
        model_id=str(evaluation.model_id),
        settings={},
        mlrec_version="1",
        created_at="2026-11-25",
        beside=SideBySide({"user-time": evaluation, "global-time": later}, replayed, {}),
    )


def test_months_hold_all_events_of_each_split(picture):
    assert {name: sum(counts) for name, counts in picture.months.events.items()} == picture.splits
    assert picture.months.starts[0] == "1995-01-01"
    assert picture.months.starts[-1] == "2016-10-01"
    assert sum(picture.rating_histogram.values()) == picture.steps[0].ratings == 100_004


def test_the_page_is_small(report):
    assert len(report.encode()) < 300_000


_PROBE = """<script>
const wide = (one) => one.scrollWidth > one.clientWidth;
for (const one of document.querySelectorAll("details")) one.open = true;
document.title = JSON.stringify({
  page: wide(document.documentElement),
  scrolling: [...document.querySelectorAll(".scroll")].filter(wide).map((one) => [one.className, one.tabIndex]),
  charts: [...document.querySelectorAll(".chart > svg")].map((one) => one.getBoundingClientRect().width),
});
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium to lay the page out")
@pytest.mark.parametrize("width", [500, 1280])  # Chromium has no narrower window
def test_nothing_is_cut_without_a_sign(report, tmp_path, width):
    page = tmp_path / "report.html"
    page.write_text(
        re.sub(r"<meta http-equiv[^>]*>", "", report).replace("</body>", f"{_PROBE}</body>"), encoding="utf-8"
    )
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    drawn = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    found = json.loads(drawn.partition("<title>")[2].partition("</title>")[0])
    assert found["page"] is False
    # Models, protocols, popularity, pauses, replay and data.
    assert len(found["charts"]) == 1 + 3 + 1 + 3 + 3 + 5
    assert min(found["charts"]) > 150
    # A table that scrolls says so, and the keyboard reaches it.
    marked = [[f"scroll {width}", 0] for width in ("some", "many", "most")]
    assert [one for one in found["scrolling"] if one not in marked] == []
    assert bool(found["scrolling"]) is (width < 1280)
