"""The report: it shows what was measured, loads nothing, and names cannot break it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import numpy as np
import pytest

from mlrec.artifacts.documents import from_json
from mlrec.artifacts.prepared import Cutoffs, Manifest
from mlrec.dataset.events import Events
from mlrec.evaluation.estimates import Difference, Estimate
from mlrec.evaluation.protocol import Evaluation, RelevantMovies, Seeds
from mlrec.evaluation.replay.replay import Part, Replay
from mlrec.evaluation.report import svg
from mlrec.evaluation.report.data import months_of, picture_of
from mlrec.evaluation.report.labels import label_places
from mlrec.evaluation.report.page import render_report
from mlrec.evaluation.side_by_side import SideBySide
from mlrec.evaluation.summary import Segment
from mlrec.settings import ReplaySettings, ServeSettings, TrainSettings


def seconds(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())


MANIFEST: dict[str, Any] = {
    "fingerprint": "f00d" * 16,
    "created_at": "2026-11-24T18:09:27+00:00",
    "input": {"files": [{"file": "ratings.csv", "sha256": "5eed" * 16}]},
    "settings": {"cut_points": [2.5, 3.5, 4.5], "split": "user-time", "min_user_ratings": 10, "user_offset": 0},
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
EVENTS = Events.of(
    user_id=np.arange(5),
    movie_id=np.arange(5),
    preference=np.ones(5, dtype=np.int8),
    timestamp=np.array([seconds(*time) for time in TIMES]),
    split=np.array([1, 0, 0, 2, 0], dtype=np.int8),
)
PICTURE = picture_of(from_json(Manifest, MANIFEST), EVENTS)

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
    relevance_within="all",
    users=604,
    users_left_out=66,
    users_without_taste=3,
    sample=None,
    ks=(10,),
    relevant=RelevantMovies(5_000, 1_500, 12),
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
        "als - popularity": {"ndcg@10": Difference(0.0667, 0.048, 0.078, 0.001, 0.002)},
        "als - ease": {"ndcg@10": Difference(-0.0066, -0.02, 0.009, 0.4)},
    },
    segments=SEGMENTS,
    skipped={"cosine": "takes minutes to train on 3,000,000 events"},
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
    outside_core_likes=2001,
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
    skipped={"retrain": "takes minutes to train"},
)


@dataclass
class Drawn:
    """An element of a chart: where it is (percent of the width, pixels of the height), and what it tells a pointer."""

    tag: str
    look: str
    at: dict[str, float]
    points: list[tuple[float, float]]
    text: str = ""


@dataclass
class Chart:
    """What is drawn in a chart."""

    elements: list[Drawn] = field(default_factory=list)

    def of(self, look, tag="svg"):
        """Elements of some look: marks, or those of another tag."""
        found = [own for own in self.elements if own.tag == tag and look in own.look.split()]
        return [own for own in found if tag != "svg" or "mark" in own.look.split()]

    def labels(self, across):
        """The labels of an axis, in their order: the x axis's are centred."""
        look = "middle" if across else "end"
        return [own for own in self.elements if own.tag == "text" and {look, "label"} <= set(own.look.split())]

    def value(self, position, *, across):
        """The value at a position, as one reads it from the labels of the axis."""
        key = "x" if across else "y"
        ticks = [(own.at[key], float(own.text.replace("−", "-").replace("k", "e3"))) for own in self.labels(across)[:2]]
        (start, first), (end, second) = ticks
        return first + (position - start) * (second - first) / (end - start)


class Page(HTMLParser):
    """Tags with their attributes, rows of the tables, what is charted, and what stands in bold in a table."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.bold, self.charts = [], [], [], {}
        self._path = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        own = dict(attributes)
        self.tags.append((tag, own))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if own.get("class") == "chart":
            self.charts[own["id"]] = self._chart = Chart()
        if tag in ("svg", "line", "rect", "text", "polyline") and any(
            outer.get("class") == "chart" for _, outer in self._path
        ):
            at = {name: float(own[name].rstrip("%")) for name in ("x", "y", "x1", "x2", "y1", "y2") if name in own}
            at |= {name: float(own[name].rstrip("%")) for name in ("width", "height") if tag == "rect"}
            pairs = [pair.split(",") for pair in own.get("points", "").split()]
            points = [(float(x), float(y)) for x, y in pairs]
            look = own.get("class", "")
            if tag == "polyline":
                look = next(outer.get("class", "") for name, outer in reversed(self._path) if name == "svg")
            if any(outer.get("class") == "labels" for _, outer in self._path):
                look += " label"
            self._chart.elements.append(Drawn(tag, look, at, points))
        if tag not in ("meta", "br", "img", "input"):
            self._path.append((tag, own))

    def handle_endtag(self, tag):
        assert self._path[-1][0] == tag, f"</{tag}> closes {self._path[-1]}"
        self._path.pop()

    def handle_data(self, data):
        names = [name for name, _ in self._path]
        if names and names[-1] in ("title", "text") and "svg" in names:
            self._chart.elements[-1].text += data
        if "td" in names or "th" in names:
            self.rows[-1][-1] += ("|" if names[-1] == "small" else "") + data
            if names[-1] == "strong":
                self.bold.append((self.rows[-1][0], data))

    def row(self, *begin):
        """The row that begins so."""
        (found,) = [row for row in self.rows if row[: len(begin)] == list(begin)]
        return found


def rendered(evaluations=(EVALUATION,), replay=REPLAY, picture=PICTURE, **changes):
    given = {
        "model_id": "20261124T180928-als-7837",
        "settings": {"Training": {"factors": 64, "half_life": 10.0, "regularization": None}},
        "mlrec_version": "9.8.7",
        "created_at": "2026-11-25 10:00 UTC",
    }
    return render_report(evaluations, replay, picture, **(given | changes))


def test_events_are_counted_by_calendar_month_and_split():
    """29 February, the last second of a month, the first of the next, and before 1970; by hand."""
    months = months_of(EVENTS.timestamp, EVENTS.split)
    assert months.starts == ("1969-12-01", "2015-12-01", "2016-02-01", "2016-03-01")
    assert months.days == (31, 31, 29, 31)
    assert months.events == {"train": (1, 1, 1, 0), "val": (0, 0, 1, 0), "test": (0, 0, 0, 1)}


def test_a_manifest_of_another_engine_may_lack_the_counts():
    counted = {name: MANIFEST[name] for name in ("fingerprint", "settings", "splits")}
    bare = picture_of(from_json(Manifest, counted), EVENTS)
    page = Page(rendered(picture=bare))
    assert "months" in page.charts
    assert not {"ratings", "steps-users"} & set(page.charts)


def test_tables_have_the_figures():
    page = Page(rendered())
    assert page.row("als", "0.1235") == ["als", "0.1235", "0.101 to 0.141", "", "", ""]
    lead = ["+0.0667", "+0.048 to +0.078", "≤ 0.001 *"]
    assert page.row("popularity", "0.0567") == ["popularity", "0.0567", "0.049 to 0.072", *lead]
    assert page.row("ease", "0.1300")[3:] == ["−0.0066", "−0.020 to +0.009", "0.400"]
    assert page.row("NDCG@10") == ["NDCG@10", "0.1235|0.101 to 0.141", "0.0567|0.049 to 0.072", "0.1300|0.110 to 0.150"]
    assert page.row("Coverage@10") == ["Coverage@10", "0.3500", "0.0700", "0.3000"]
    assert page.row("Surprise@10") == ["Surprise@10", "0.5000|0.400 to 0.600", "–", "–"]
    assert page.row("static", "0.0800|0.070 to 0.100")[2] == "+0.0800|+0.060 to +0.090"
    assert page.row("20 to 49 events|31 users") == ["20 to 49 events|31 users", "0.3210", "0.1230", "0.3000"]
    tail = "least popular|900 movies, 88 relevant"
    assert page.row(tail) == [tail, "0.0110", "0.0000", "0.0200"]
    assert page.row("read") == ["read", "1,234", "56", "78"]


def test_protocols_stand_side_by_side_with_where_the_model_does_not_lead():
    later = replace(
        EVALUATION,
        protocol="global-time",
        users=94,
        models={"als": {"ndcg@10": Estimate(0.31, 0.2, 0.4)}, "recent": {"ndcg@10": Estimate(0.33, 0.3, 0.4)}},
        differences={"als - recent": {"ndcg@10": Difference(-0.02, -0.04, 0.01, 0.3, 0.3)}},
    )
    beside = SideBySide({"user-time": EVALUATION, "global-time": later}, REPLAY, {})
    text = rendered(beside=beside)
    page = Page(text)
    figures = ["0.1235|0.101 to 0.141", "0.3100|0.200 to 0.400", "0.1600|0.150 to 0.180"]
    assert page.row("als", *figures) == ["als", *figures]
    assert page.row("recent", "", "0.3300|0.300 to 0.400") == ["recent", "", "0.3300|0.300 to 0.400", ""]
    assert page.row("recent", "", "−0.0200|−0.040 to +0.010") == ["recent", "", "−0.0200|−0.040 to +0.010", ""]
    assert page.row("popularity", "+0.0667 *|+0.048 to +0.078")[2:] == ["", ""]
    assert {"protocol-0", "protocol-1", "protocol-2"} <= set(page.charts)
    assert [own.text.split(":")[0] for own in page.charts["protocol-1"].elements if ":" in own.text] == [
        "recent",
        "als",
    ]
    assert "protocol-0" not in Page(rendered()).charts


def test_sittings_are_charted_by_the_time_since_the_last_known_event():
    pauses = [
        Segment(
            "pause", name, None, users, 2 * users, {model: {"ndcg@10": Estimate(own)} for model, own in ndcg.items()}
        )
        for name, users, ndcg in (
            ("same minute", 40, {"als": 0.1, "sequence": 0.15}),
            ("later", 9, {"als": 0.11, "sequence": 0.09}),
        )
    ]  # fmt: skip
    models = dict.fromkeys(("als", "sequence"), EVALUATION.models["popularity"])
    page = Page(rendered([replace(EVALUATION, models=models, differences={}, segments=pauses)]))
    assert page.row("same minute|40 users, 80 relevant")[1:] == ["0.1000", "0.1500"]
    assert ("same minute|40 users, 80 relevant", "0.1500") in page.bold
    assert {"pause-0-0", "pause-0-1"} <= set(page.charts)
    assert "Taste, or the order of a page" not in rendered()


def test_other_training_seeds_are_told():
    seeds = Seeds((42, 43), {"ndcg@10": (0.1234, 0.1201)}, {"ndcg@10": Estimate(0.12, 0.11, 0.13)})
    said = "NDCG@10 with 2 training seeds: 0.1234, 0.1201. The next training would lie between 0.110 and 0.130"
    assert said in rendered([replace(EVALUATION, seeds=seeds)])


def test_what_is_undefined_is_a_dash():
    undefined = {**EVALUATION.models["ease"], "popularity_lift@10": Estimate(math.nan)}
    text = rendered([replace(EVALUATION, models={**EVALUATION.models, "ease": undefined})])
    assert Page(text).row("Popularity lift@10|lower is better")[-1] == "–"
    assert "nan" not in text


def test_the_best_stand_out_where_less_is_better_too():
    bold = Page(rendered(replay=None)).bold
    assert {value for name, value in bold if name == "Coverage@10"} == {"0.3500"}
    assert {value for name, value in bold if name.startswith("Popularity lift@10")} == {"0.6000"}
    assert [value for name, value in bold if name.startswith("Disliked@10")] == ["0.0100", "0.0100"]


def test_the_models_chart_shows_the_figures():
    chart = Page(rendered()).charts["models-0-10"]
    assert [own.text for own in chart.labels(across=False)] == ["ease", "als", "popularity"]
    own, others = chart.of("own"), chart.of("other")
    assert [mark.text for mark in own] == ["als: NDCG@10 0.1235, 95% CI 0.101 to 0.141"]
    assert [chart.value(mark.at["x"], across=True) for mark in own] == pytest.approx([0.12345], abs=1e-4)
    assert [chart.value(mark.at["x"], across=True) for mark in others] == pytest.approx([0.13, 0.0567], abs=1e-4)
    (bounds,) = chart.of("own", "line")
    ends = [chart.value(bounds.at[end], across=True) for end in ("x1", "x2")]
    assert ends == pytest.approx([0.101, 0.141], abs=1e-4)


def test_the_popularity_chart_shows_the_figures():
    chart = Page(rendered()).charts["popularity-0-10"]
    marks = [*chart.of("own"), *chart.of("other")]
    assert [mark.text.partition(":")[0] for mark in marks] == ["als", "popularity", "ease"]
    assert [chart.value(mark.at["x"], across=True) for mark in marks] == pytest.approx([0.7, 2.2, 0.6], abs=1e-3)
    assert [chart.value(mark.at["y"], across=False) for mark in marks] == pytest.approx(
        [0.12345, 0.0567, 0.13], abs=1e-4
    )


def test_the_curves_show_the_figures():
    page = Page(rendered())
    for name, values in (("curve-0", [0.5, 0.13, 0.07]), ("curve-1", [0.05, 0.013, 0.007])):
        chart = page.charts[name]
        static = [chart.value(mark.at["y"], across=False) for mark in chart.of("rule-1")]
        assert static == pytest.approx(values, abs=1e-3)
        assert [chart.value(y, across=False) for _, y in chart.of("rule-1", "polyline")[0].points] == pytest.approx(
            values, abs=1e-3
        )
    chart = page.charts["curve-0"]
    assert [own.text for own in chart.labels(across=True)][:3] == ["0", "1–4", "5+"]
    # The band runs along the upper bounds and back along the lower ones.
    (band,) = chart.of("band", "polyline")
    bounds = [0.42, 0.32, 0.22, 0.19, 0.29, 0.39]
    assert [chart.value(y, across=False) for _, y in band.points] == pytest.approx(bounds, abs=2e-3)


def test_one_legend_hides_and_shows_the_rules_of_all_curves():
    page = Page(rendered())
    boxes = [own for tag, own in page.tags if tag == "input"]
    assert [own["class"] for own in boxes] == ["show-own", "show-rule-1", "show-variant-1"]
    assert ["checked" in own for own in boxes] == [True, True, False]
    style = resources.files("mlrec.evaluation.report").joinpath("style.css").read_text(encoding="utf-8")
    for look in ("rule-1", "rule-4", "variant-1", "variant-2"):
        assert f".curves:has(.show-{look}:not(:checked)) .chart .{look}" in style


def test_charts_of_the_data_show_the_counts():
    page = Page(rendered())
    ratings = page.charts["ratings"]
    bars = [*ratings.of("other", "rect"), *ratings.of("own", "rect")]
    assert [bar.text for bar in bars] == [
        "rating 0.5: 10 ratings",
        "rating 3.5: 200 ratings",
        "rating 4: 700 ratings",
        "rating 10: 90 ratings",
    ]
    heights = [ratings.value(bar.at["y"], across=False) for bar in bars]
    assert heights == pytest.approx([10, 200, 700, 90], abs=1)
    movies = [bar.at["width"] for look in ("other", "own") for bar in page.charts["steps-movies"].of(look, "rect")]
    assert movies[1] / movies[0] == pytest.approx(40 / 78, abs=1e-3)
    months = page.charts["months"]
    assert [bar.text for bar in months.of("split-1", "rect")] == ["2016-02: 1 of validation"]
    assert len(months.of("split-0", "rect")) == 3
    # February 2016 has a training event below the validation event.
    below, above = months.of("split-0", "rect")[2], months.of("split-1", "rect")[0]
    assert below.at["x"] == above.at["x"]
    assert above.at["y"] + above.at["height"] == pytest.approx(below.at["y"], abs=0.2)


def test_the_judged_model_has_the_most_contrast_in_light_and_dark():
    style = resources.files("mlrec.evaluation.report").joinpath("style.css").read_text(encoding="utf-8")
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})\b", block)) for block in style.split("@media", 2)[:2])
    fixed = set(re.findall(r"--look: (#[0-9a-f]{6})", style))
    assert len(fixed) == 3
    for scheme in (light, light | dark):
        others = [contrast(colour, scheme["paper"]) for colour in (*fixed, scheme["other"])]
        assert min(others) > 3
        assert contrast(scheme["judged"], scheme["paper"]) > max(others)


def contrast(one, other):
    """WCAG 2.2's ratio of two colours."""

    def luminance(colour):
        shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, brighter = sorted(map(luminance, (one, other)))
    return (brighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-0.31, 2.4, ["0.0", "0.5", "1.0", "1.5", "2.0"]),
        (0.041, 0.139, ["0.06", "0.08", "0.10", "0.12"]),
        (0, 28_500, ["0", "5k", "10k", "15k", "20k", "25k"]),
        (0, 5_100_000, ["0", "1M", "2M", "3M", "4M", "5M"]),
    ],
)
def test_ticks_are_round_numbers(low, high, expected):
    assert list(svg.numbers(low, high).values()) == expected


def test_ticks_of_time_are_months_or_years():
    def day(date):
        return int(np.datetime64(date, "D").astype(int))

    assert list(svg.months(day("1995-01-01"), day("2016-11-01")).values()) == ["1995", "2000", "2005", "2010", "2015"]
    ticks = svg.months(day("2015-12-15"), day("2016-03-01"))
    assert ticks == {day("2016-01-01"): "2016-01", day("2016-02-01"): "2016-02", day("2016-03-01"): "2016-03"}
    assert list(svg.months(day("1969-10-15"), day("1970-02-01"), 3).values()) == ["1969-11", "1970-01"]


def test_the_summary_says_who_is_ahead_and_who_is_not():
    text = rendered()
    assert "NDCG@10 of <b>0.123</b> (95% CI 0.101 to 0.141)" in text
    assert "ahead of popularity by <b>0.067</b> (+0.048 to +0.078)" in text
    assert "level with the best baseline (ease), with a difference of <b>−0.007</b> (−0.020 to +0.009)" in text
    behind = {**EVALUATION.differences, "als - ease": {"ndcg@10": Difference(-0.03, -0.04, -0.02, 0.001)}}
    text = rendered([replace(EVALUATION, differences=behind)])
    assert "behind the best baseline (ease) by <b>0.030</b> (−0.040 to −0.020)" in text


def test_one_user_is_not_one_users():
    text = rendered([replace(EVALUATION, users=1, users_left_out=1, sample=1)])
    assert "over a sample of 1 user," in text
    assert "1 user had no relevant movie in this split and was skipped." in text
    assert "A random sample: 1 user." in text
    assert not re.search(r"(?<![\d,])1 users", text)


def test_the_small_print_says_what_the_figures_are_of():
    text = rendered()
    for said in (
        "66 users had no relevant movie in this split and were skipped",
        "3 of the users got popular movies, because their taste is unknown.",
        "cosine takes minutes to train on 3,000,000 events and was skipped",
        "seen other users' future",
        "30% of the 6,670 likes are outside the core. 523 are of movies that the model does not know.",
        "als is model 20261124T180928-als-7837",
        "fold-in 0.04 ms, retrain 1.2 s",
        "retrain takes minutes to train and was skipped",
        "7 rows could not be used",
        "f00d" * 16,
        "sha256 " + "5eed" * 16,
        "Written by mlrec 9.8.7 on 2026-11-25 10:00 UTC",
        "<dt>half life</dt><dd>10</dd>",
        "<dt>held out share</dt><dd>0.2</dd>",
    ):
        assert said in text


def test_a_model_of_the_protocols_own_is_told():
    anew = replace(EVALUATION, protocol="held-out-users", trained_anew=True)
    text = rendered([anew])
    assert "als was trained for this protocol with the settings of 20261124T180928-als-7837" in text
    assert "has not seen these users" in text
    assert "the default settings" in rendered([replace(anew, model_id=None)])


def test_a_split_at_two_moments_is_marked():
    moments = Cutoffs(val_from=seconds(2016, 2, 1), test_from=seconds(2016, 3, 1))
    split = replace(PICTURE, cutoff_times=moments, settings={**PICTURE.settings, "split": "global-time"})
    text = rendered([replace(EVALUATION, protocol="global-time")], picture=split)
    assert "validation begins on 2016-02-01 and test begins on 2016-03-01" in text
    assert "seen other users" not in text
    chart = Page(text).charts["months"]
    (february,) = chart.of("split-1", "rect")
    (march,) = chart.of("split-2", "rect")
    assert [line.at["x1"] for line in chart.of("guide", "line")] == [february.at["x"], march.at["x"]]


def test_names_from_data_cannot_break_the_page():
    evil = '</script><img src=x onerror="alert(1)">&amp;'
    figures = {**EVALUATION.models, evil: EVALUATION.models["ease"]}
    evaluation = replace(EVALUATION, model_id=evil, split=evil, history=evil, models=figures, skipped={evil: evil})
    step = {"name": evil, "ratings": 1, "users": 1, "movies": 1}
    manifest = {
        **MANIFEST,
        "fingerprint": evil,
        "steps": [step],
        "input": {"files": [{"file": evil, "sha256": evil}]},
        "settings": {**MANIFEST["settings"], evil: evil},
        "created_at": evil,
    }
    picture = picture_of(from_json(Manifest, manifest), EVENTS)
    page = Page(rendered([evaluation], picture=picture, model_id=evil, created_at=evil))
    assert "img" not in {tag for tag, _ in page.tags}
    assert page.row(evil, "0.1300")[2] == "0.110 to 0.150"
    assert [own.text for own in page.charts["steps-users"].labels(across=False)] == ["1. </script><img …"]
    assert page.charts["steps-users"].of("own", "rect")[0].text == f"{evil}: 1 users"


def test_nothing_is_loaded_from_elsewhere():
    text = rendered()
    page = Page(text)
    assert [name for _, own in page.tags for name in own if name in ("src", "srcset", "xlink:href")] == []
    assert {tag for tag, own in page.tags if not own.get("href", "#").startswith("#")} == set()
    assert "script" not in {tag for tag, _ in page.tags}
    assert "http://" not in text
    assert "https://" not in text
    assert "url(" not in text
    assert "@import" not in text
    (policy,) = [own["content"] for tag, own in page.tags if own.get("http-equiv") == "Content-Security-Policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_the_contents_lead_to_every_section():
    page = Page(rendered())
    anchors = [own["href"].removeprefix("#") for tag, own in page.tags if tag == "a"]
    assert anchors == ["models", "popularity", "segments", "replay", "data", "foot"]
    assert anchors == [own["id"] for tag, own in page.tags if tag in ("section", "footer") and "id" in own]


def test_every_chart_has_a_description():
    page = Page(rendered([EVALUATION, replace(EVALUATION, split="test")]))
    assert {"models-0-10", "models-1-10", "popularity-0-10", "popularity-1-10"} <= set(page.charts)
    assert len([own for _, own in page.tags if own.get("role") == "img" and own["aria-label"]]) == len(page.charts)
    assert len({own["id"] for _, own in page.tags if "id" in own}) == len([own for _, own in page.tags if "id" in own])


def test_the_same_figures_give_the_same_page():
    assert rendered() == rendered()


def test_a_replay_alone_is_a_report():
    page = Page(rendered([]))
    assert "curve-0" in page.charts
    assert "models-0-10" not in page.charts


def test_labels_avoid_each_other_and_the_edges():
    alone = label_places(["als"], [(100, 100)], 235, 270)
    assert alone == [(1, 0)]
    # No room to the right: neither at the edge nor where another dot is.
    assert label_places(["popularity"], [(220, 100)], 235, 270) == [(-1, 0)]
    assert label_places(["als", "ease"], [(100, 100), (115, 100)], 235, 270) == [(-1, 0), (1, 0)]
    # Two models at one place.
    first, second = label_places(["als", "als-default"], [(100, 100), (100, 100)], 235, 270)
    assert {first, second} == {(1, 0), (-1, 0)}
