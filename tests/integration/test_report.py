"""The report of the demo data, as a browser draws it."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from mlrec.evaluation.protocol import evaluate
from mlrec.evaluation.replay import replay
from mlrec.evaluation.report.data import read_picture
from mlrec.evaluation.report.page import render_report
from mlrec.settings import EvaluateSettings, ReplaySettings

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def picture(demo):
    return read_picture(demo)


@pytest.fixture(scope="module")
def report(demo, picture):
    evaluation = evaluate(demo, EvaluateSettings(baselines=("popularity", "cosine"), resamples=1000))
    return render_report(
        [evaluation],
        replay(demo, ReplaySettings(held_out_share=0.05, resamples=1000)),
        picture,
        model_id=evaluation.model_id,
        settings={},
        mlrec_version="1",
        created_at="2026-11-25",
    )


def test_months_hold_all_events_of_each_split(picture):
    assert {name: sum(counts) for name, counts in picture.months.events.items()} == picture.splits
    assert picture.months.starts[0] == "1995-01-01"
    assert picture.months.starts[-1] == "2016-10-01"
    assert sum(picture.rating_histogram.values()) == picture.steps[0].ratings == 100_004


@pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium to draw the charts")
def test_a_browser_draws_every_chart(report, tmp_path):
    """With the page's own policy in force, which refuses whatever would come from elsewhere."""
    page = tmp_path / "report.html"
    page.write_text(report, encoding="utf-8")
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=8000", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    drawn = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    names = re.findall(r'data-chart="([^"]+)"', report)
    assert len(names) == 1 + 1 + 3 + 5
    for name in names:
        _, _, place = drawn.partition(f'id="{name}"')
        assert 'class="main-svg"' in place.partition("<script")[0], name
