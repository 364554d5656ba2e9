"""Progress in a notebook, with a stand-in for IPython that records what a browser would be sent."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

import mlrec
from mlrec.progress import SILENT
from mlrec.progress_line import NotebookProgress, notebook_progress


class Line:
    """A line below a cell."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def update(self, data, raw):
        assert raw
        self.texts.append(data["text/html"])


@pytest.fixture
def line(monkeypatch) -> Line:
    shown = Line()

    def display(data, raw, display_id):
        assert display_id
        assert not shown.texts, "one line for all tasks"
        shown.update(data, raw)
        return shown

    ipython, module = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    module.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return shown


def test_a_kernel_shows_one_line_that_is_empty_at_the_end(line, monkeypatch):
    monkeypatch.setattr("mlrec.progress_line._PAUSE", 0.0)
    progress = notebook_progress()
    assert isinstance(progress, NotebookProgress)
    with progress.task("Reading <b>"):
        pass
    with progress.task("Training", total=2, unit="iterations") as task:
        task.advance()
        task.say("Saving")
        task.advance()
    with progress.task("Fetching", total=3_000_000, unit="bytes") as task:
        task.advance(1_500_000)
    assert line.texts == [
        "<div>Reading &lt;b&gt;</div>",
        "",
        '<div><progress value="0" max="2"></progress> Training: 0 of 2 iterations</div>',
        '<div><progress value="1" max="2"></progress> Training: 1 of 2 iterations</div>',
        '<div><progress value="1" max="2"></progress> Saving: 1 of 2 iterations</div>',
        '<div><progress value="2" max="2"></progress> Saving: 2 of 2 iterations</div>',
        "",
        '<div><progress value="0" max="3000000"></progress> Fetching: 0.0 of 3.0 MB</div>',
        '<div><progress value="1500000" max="3000000"></progress> Fetching: 1.5 of 3.0 MB</div>',
        "",
    ]


def test_fast_work_does_not_flood_the_browser(line):
    with notebook_progress().task("Recommending", total=100_000, unit="users") as task:
        for _ in range(100_000):
            task.advance()
    assert len(line.texts) < 50


def test_a_failure_leaves_no_line(line):
    with pytest.raises(ValueError, match="x"), notebook_progress().task("Working"):
        raise ValueError("x")
    assert line.texts[-1] == ""


def test_it_is_a_public_name():
    assert mlrec.notebook_progress is notebook_progress


def test_it_is_silent_elsewhere(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert notebook_progress() is SILENT
    terminal = ModuleType("IPython")
    terminal.get_ipython = lambda: object()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", terminal)
    assert notebook_progress() is SILENT
    terminal.get_ipython = lambda: None  # type: ignore[attr-defined]
    assert notebook_progress() is SILENT
