"""The report: what stands in it is what was measured, it loads nothing, and names cannot break it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pytest

from mlrec.dataset.reading import Events
from mlrec.errors import MissingExtraError
from mlrec.evaluation.estimates import Difference, Estimate
from mlrec.evaluation.protocol import Evaluation
from mlrec.evaluation.replay import Part, Replay
from mlrec.evaluation.report import charts
from mlrec.evaluation.report.data import months_of, picture_of
from mlrec.evaluation.report.labels import label_places
from mlrec.evaluation.report.page import render_report
from mlrec.evaluation.summary import Segment
from mlrec.settings import ReplaySettings, ServeSettings, TrainSettings

PLOTLY = "/* the code of Plotly */"


def seconds(*moment):
    return int(datetime(*moment, tzinfo=UTC).timestamp())


MANIFEST = {
    "fingerprint": "f00d" * 16,
    "created_at": "2026-11-24T18:09:27+00:00",
    "input": {"files": [{"file": "ratings.csv", "sha256": "5eed" * 16}]},
    "settings": {"cut_points": [2.5, 3.5, 4.5], "split": "user-time", "min_user_ratings": 10},
    "steps": [
        {"name": "read", "ratings": 1234, "users": 56, "movies": 78},
        {"name": "core round 1", "ratings": 1000, "users": 50, "movies": 40},
    ],
    "rejects": {"rows": 7, "by_reason": {"empty title": 7}},
    "rating_histogram": {"0.5": 10, "3.5": 200, "4": 700, "10": 90},
    "splits": {"train": 3, "val": 1, "test": 1},
    "moments": None,
}
TIMES = [(2016, 2, 29, 23, 59, 59), (2015, 12, 31), (2016, 2, 1), (2016, 3, 1), (1969, 12, 31)]
EVENTS = Events(
    user_id=np.arange(5),
    movie_id=np.arange(5),
    preference=np.ones(5, dtype=np.int8),
    timestamp=np.array([seconds(*time) for time in TIMES]),
    split=np.array([1, 0, 0, 2, 0], dtype=np.int8),
)
PICTURE = picture_of(MANIFEST, EVENTS)

SEGMENTS = [
    Segment(
        "history", "20 to 49", None, 31, 62,
        {name: {"ndcg@10": Estimate(value)} for name, value in (("als", 0.321), ("popularity", 0.123), ("ease", 0.3))},
    ),
    Segment(
        "popularity", "least popular", 900, 77, 88,
        {name: {"recall@10": Estimate(value)} for name, value in (("als", 0.011), ("popularity", 0.0), ("ease", 0.02))},
    ),
]  # fmt: skip

EVALUATION = Evaluation(
    model_id="20261124T180928-als-7837",
    protocol="user-time",
    trained_anew=False,
    split="val",
    history="train",
    relevance="liked",
    users=604,
    users_left_out=66,
    users_without_taste=3,
    sample=None,
    ks=(10,),
    models={
        "als": {
            "ndcg@10": Estimate(0.12345, 0.101, 0.141),
            "popularity_lift@10": Estimate(0.7, 0.6, 0.8),
            "disliked@10": Estimate(0.02, 0.01, 0.03),
            "coverage@10": Estimate(0.35),
            "surprise@10": Estimate(0.5, 0.4, 0.6),
        },
        "popularity": {
            "ndcg@10": Estimate(0.0567, 0.049, 0.072),
            "popularity_lift@10": Estimate(2.2, 2.1, 2.3),
            "disliked@10": Estimate(0.01, 0.005, 0.02),
            "coverage@10": Estimate(0.07),
        },
        "ease": {
            "ndcg@10": Estimate(0.13, 0.11, 0.15),
            "popularity_lift@10": Estimate(0.6, 0.5, 0.7),
            "disliked@10": Estimate(0.01, 0.005, 0.02),
            "coverage@10": Estimate(0.3),
        },
    },
    differences={
        "als - popularity": {"ndcg@10": Difference(0.0667, 0.048, 0.078, 0.001)},
        "als - ease": {"ndcg@10": Difference(-0.0066, -0.02, 0.009, 0.4)},
    },
    segments=SEGMENTS,
    skipped={"cosine": "learns for minutes from 3,000,000 events"},
)


def arms(*values):
    names = ("fold-in", "fold-in, no decay", "static")
    return {
        name: {"hit_rate@10": Estimate(value, value - 0.01, value + 0.02), "disliked@10": Estimate(value / 10)}
        for name, value in zip(names, values, strict=True)
    }


REPLAY = Replay(
    settings_of=None,
    starts_at=seconds(2012, 1, 3),
    learned_events=56063,
    users=134,
    held_out_users=134,
    events=9000,
    likes=6670,
    unknown_likes=523,
    settings=ReplaySettings(),
    train=TrainSettings(),
    serve=ServeSettings(),
    arms=arms(0.16, 0.15, 0.08),
    differences={"fold-in - static": {"hit_rate@10": Difference(0.08, 0.06, 0.09, 0.001)}},
    curve=[
        Part(0, 1, 84, 84, arms(0.4, 0.4, 0.5)),
        Part(1, 5, 240, 90, arms(0.3, 0.28, 0.13)),
        Part(5, None, 500, 60, arms(0.2, 0.18, 0.07)),
    ],
    update_seconds={"fold-in": 0.00004, "retrain": 1.25},
    skipped={"retrain": "learns for minutes"},
)


class Page(HTMLParser):
    """Tags with their attributes, rows of the tables, what is charted, and what stands in bold in a table."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.bold, self.charts = [], [], [], {}
        self._path = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in ("meta", "br", "img"):
            self._path.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._path[-1][0] == tag, f"</{tag}> closes {self._path[-1]}"
        self._path.pop()

    def handle_data(self, data):
        tag, attributes = self._path[-1] if self._path else ("", {})
        if "data-chart" in attributes:
            self.charts[attributes["data-chart"]] = json.loads(data)
        names = [name for name, _ in self._path]
        if "td" in names or "th" in names:
            self.rows[-1][-1] += ("|" if tag == "small" else "") + data
            if tag == "strong":
                self.bold.append((self.rows[-1][0], data))

    def row(self, *begin):
        """The row that begins so."""
        (found,) = [row for row in self.rows if row[: len(begin)] == list(begin)]
        return found

    def trace(self, chart, name=None):
        """One trace of a chart, by its name."""
        (found,) = [trace for trace in self.charts[chart]["data"] if name is None or trace.get("name") == name]
        return found


@pytest.fixture
def render(monkeypatch):
    """The report with another text in place of Plotly's five million characters."""
    monkeypatch.setattr(charts, "plotly_script", lambda: PLOTLY)

    def rendered(evaluations=(EVALUATION,), replay=REPLAY, picture=PICTURE, **changes):
        given = {
            "model_id": "20261124T180928-als-7837",
            "settings": {"Training": {"factors": 64, "half_life": 10.0, "regularization": None}},
            "mlrec_version": "9.8.7",
            "created_at": "2026-11-25 10:00 UTC",
        }
        return render_report(evaluations, replay, picture, **(given | changes))

    return rendered


def test_events_are_counted_by_calendar_month_and_split():
    """29 February, the last second of a month, the first of the next, and before 1970; by hand."""
    months = months_of(EVENTS.timestamp, EVENTS.split)
    assert months.starts == ("1969-12-01", "2015-12-01", "2016-02-01", "2016-03-01")
    assert months.days == (31, 31, 29, 31)
    assert months.events == {"train": (1, 1, 1, 0), "val": (0, 0, 1, 0), "test": (0, 0, 0, 1)}


def test_a_manifest_of_another_engine_may_lack_the_counts(render):
    bare = picture_of({name: MANIFEST[name] for name in ("fingerprint", "settings", "splits")}, EVENTS)
    page = Page(render(picture=bare))
    assert "months" in page.charts
    assert not {"ratings", "steps-users"} & set(page.charts)


def test_tables_have_the_figures(render):
    page = Page(render())
    assert page.row("als", "0.1235") == ["als", "0.1235", "0.101 to 0.141", "", "", ""]
    lead = ["+0.0667", "+0.048 to +0.078", "0.001"]
    assert page.row("popularity", "0.0567") == ["popularity", "0.0567", "0.049 to 0.072", *lead]
    assert page.row("ease", "0.1300")[3:] == ["−0.0066", "−0.020 to +0.009", "0.400"]
    assert page.row("NDCG@10") == ["NDCG@10", "0.1235|0.101 to 0.141", "0.0567|0.049 to 0.072", "0.1300|0.110 to 0.150"]
    assert page.row("Coverage@10") == ["Coverage@10", "0.3500", "0.0700", "0.3000"]
    assert page.row("Surprise@10") == ["Surprise@10", "0.5000|0.400 to 0.600", "–", "–"]
    assert page.row("static", "0.0800|0.070 to 0.100")[2] == "+0.0800|+0.060 to +0.090"
    assert page.row("20 to 49 known|31 users") == ["20 to 49 known|31 users", "0.3210", "0.1230", "0.3000"]
    tail = "least popular|900 movies, 88 wanted"
    assert page.row(tail) == [tail, "0.0110", "0.0000", "0.0200"]
    assert page.row("read") == ["read", "1,234", "56", "78"]


def test_the_best_stand_out_where_less_is_better_too(render):
    bold = Page(render(replay=None)).bold
    assert {value for name, value in bold if name == "Coverage@10"} == {"0.3500"}
    assert {value for name, value in bold if name.startswith("Popularity lift@10")} == {"0.6000"}
    assert [value for name, value in bold if name.startswith("Disliked@10")] == ["0.0100", "0.0100"]


def test_charts_show_the_figures(render):
    page = Page(render())
    others, own = page.charts["models-0-10"]["data"]
    assert (own["y"], own["x"]) == (["als"], [0.12345])
    assert own["error_x"]["array"] == [pytest.approx(0.01755)]
    assert own["error_x"]["arrayminus"] == [pytest.approx(0.02245)]
    assert dict(zip(others["y"], others["x"], strict=True)) == {"popularity": 0.0567, "ease": 0.13}
    (dots,) = page.charts["popularity-0-10"]["data"]
    assert dots["text"][0] == "<b>als</b>"
    assert (dots["x"], dots["y"]) == ([0.7, 2.2, 0.6], [0.12345, 0.0567, 0.13])
    for metric, values in (("curve-0", [0.5, 0.13, 0.07]), ("curve-1", [0.05, 0.013, 0.007])):
        assert page.trace(metric, "static")["y"] == pytest.approx(values)
    assert page.charts["curve-0"]["layout"]["xaxis"]["ticktext"] == ["0", "1–4", "5+"]
    # The band runs along the upper bounds and back along the lower ones.
    assert page.trace("curve-0", "interval")["y"] == pytest.approx([0.42, 0.32, 0.22, 0.19, 0.29, 0.39])
    assert page.trace("curve-0", "fold-in, no decay")["visible"] == "legendonly"
    assert page.trace("ratings", "no like")["x"] == [0.5, 3.5]
    assert page.trace("ratings", "like")["y"] == [700, 90]
    assert page.trace("steps-movies")["x"] == [78, 40]
    assert page.trace("months", "validation")["y"] == [0, 0, 1, 0]


def test_the_summary_says_who_is_ahead_and_who_is_not(render):
    text = render()
    assert "NDCG@10 of <b>0.123</b> (95% interval 0.101 to 0.141)" in text
    assert "ahead of popularity by <b>0.067</b> (+0.048 to +0.078)" in text
    assert "level with the best baseline, ease (difference <b>−0.007</b>, −0.020 to +0.009)" in text
    behind = {**EVALUATION.differences, "als - ease": {"ndcg@10": Difference(-0.03, -0.04, -0.02, 0.001)}}
    text = render([replace(EVALUATION, differences=behind)])
    assert "behind the best baseline, ease by <b>0.030</b> (−0.040 to −0.020)" in text


def test_the_small_print_says_what_the_figures_are_of(render):
    text = render()
    for said in (
        "who are left out: 66",
        "who get popular movies: 3",
        "cosine learns for minutes from 3,000,000 events and was left out",
        "what others did later",
        "523 of the 6,670 likes",
        "als is model 20261124T180928-als-7837",
        "fold-in 0.04 ms, retrain 1.2 s",
        "retrain learns for minutes and was left out",
        "7 rows could not be used",
        "f00d" * 16,
        "sha256 " + "5eed" * 16,
        "Written by mlrec 9.8.7 on 2026-11-25 10:00 UTC",
        "<dt>half life</dt><dd>10</dd>",
        "<dt>held out share</dt><dd>0.2</dd>",
    ):
        assert said in text


def test_a_model_of_the_protocols_own_is_told(render):
    anew = replace(EVALUATION, protocol="held-out-users", trained_anew=True)
    text = render([anew])
    assert "als was trained for this protocol, with the settings of 20261124T180928-als-7837" in text
    assert "kept from training" in text
    assert "the default settings" in render([replace(anew, model_id=None)])


def test_a_split_at_two_moments_is_marked(render):
    moments = {"val_from": seconds(2016, 2, 1), "test_from": seconds(2016, 3, 1)}
    split = replace(PICTURE, moments=moments, settings={**PICTURE.settings, "split": "global-time"})
    text = render([replace(EVALUATION, protocol="global-time")], picture=split)
    assert "validation begins on 2016-02-01 and test begins on 2016-03-01" in text
    assert "what others did later" not in text
    shapes = Page(text).charts["months"]["layout"]["shapes"]
    assert [shape["x0"] for shape in shapes] == ["2016-02-01 00:00:00", "2016-03-01 00:00:00"]


def test_names_from_data_cannot_break_the_page(render):
    evil = '</script><img src=x onerror="alert(1)">&amp;'
    figures = {**EVALUATION.models, evil: EVALUATION.models["ease"]}
    evaluation = replace(
        EVALUATION, model_id=evil, split=evil, history=evil, models=figures, relevance=evil, skipped={evil: evil}
    )
    step = {"name": evil, "ratings": 1, "users": 1, "movies": 1}
    manifest = {
        **MANIFEST,
        "fingerprint": evil,
        "steps": [step],
        "input": {"files": [{"file": evil, "sha256": evil}]},
        "settings": {evil: evil},
        "splits": {evil: 1},
        "created_at": evil,
    }
    page = Page(render([evaluation], picture=picture_of(manifest, EVENTS), model_id=evil, created_at=evil))
    assert "img" not in {tag for tag, _ in page.tags}
    assert page.row(evil, "0.1300")[2] == "0.110 to 0.150"
    # In charts, Plotly reads tags and entities.
    assert page.trace("steps-users")["y"] == ['1. &lt;/script&gt;&lt;img src=x onerror="alert(1)"&gt;&amp;amp;']


def test_nothing_is_loaded_from_elsewhere(render):
    text = render()
    page = Page(text)
    assert [name for _, attributes in page.tags for name in attributes if name in ("src", "href", "srcset")] == []
    assert "http://" not in text
    assert "https://" not in text
    assert "url(" not in text
    assert "@import" not in text
    (policy,) = [own["content"] for tag, own in page.tags if own.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")


def test_every_chart_has_one_place_and_a_description(render):
    page = Page(render([EVALUATION, replace(EVALUATION, split="test")]))
    places = [own["id"] for tag, own in page.tags if own.get("class") == "chart" and own["aria-label"]]
    assert sorted(places) == sorted(page.charts)
    assert {"models-0-10", "models-1-10", "popularity-0-10", "popularity-1-10"} <= set(places)


def test_the_same_figures_give_the_same_page(render):
    assert render() == render()


def test_a_replay_alone_is_a_report(render):
    page = Page(render([]))
    assert "curve-0" in page.charts
    assert "models-0-10" not in page.charts


def test_without_plotly_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(MissingExtraError, match="'report'") as raised:
        render_report([EVALUATION], None, PICTURE, model_id="a", settings={}, mlrec_version="1", created_at="2026")
    assert "mlrec[report]" in raised.value.hint


def test_labels_avoid_each_other_and_the_edges():
    alone = label_places(["als"], [(100, 100)], 235, 270)
    assert alone == ["middle right"]
    # No room to the right: neither at the edge nor where another dot is.
    assert label_places(["popularity"], [(220, 100)], 235, 270) == ["middle left"]
    assert label_places(["als", "ease"], [(100, 100), (115, 100)], 235, 270) == ["middle left", "middle right"]
    # Two models at one place.
    first, second = label_places(["als", "als-default"], [(100, 100), (100, 100)], 235, 270)
    assert {first, second} == {"middle right", "middle left"}
