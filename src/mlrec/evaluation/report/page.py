"""The report as one HTML file of text, tables and charts. It loads nothing and needs no script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from string import Template
from typing import Any, NamedTuple

from mlrec.evaluation.estimates import metrics_of, of_metric
from mlrec.evaluation.protocol import Evaluation
from mlrec.evaluation.replay.replay import Replay
from mlrec.evaluation.report import charts, tables, words
from mlrec.evaluation.report.data import DataPicture
from mlrec.evaluation.report.svg import sample
from mlrec.evaluation.side_by_side import Column, SideBySide
from mlrec.evaluation.wording import day, metric_name, metric_title, split_name


class Section(NamedTuple):
    """A section of the page: its id, which the contents link to, its title and its HTML."""

    anchor: str
    title: str
    html: str


_FOOT = Section("foot", "Settings and sources", "")


def render_report(
    evaluations: Sequence[Evaluation],
    replay: Replay | None,
    picture: DataPicture,
    *,
    model_id: str,
    settings: Mapping[str, Mapping[str, Any]],
    mlrec_version: str,
    created_at: str,
    beside: SideBySide | None = None,
) -> str:
    """Render the report. The same arguments give the same text.

    Parameters
    ----------
    evaluations
        Evaluations, one for each held-out split; may be empty.
    replay
        The replay, if there was one.
    picture
        The prepared data.
    model_id
        The evaluated model.
    settings
        Title → settings, for the end of the page: "Training" → `model.info.settings.to_json()`, "Evaluation" →
        `EvaluateSettings().to_json()`. The settings of the data and the replay are added automatically.
    mlrec_version, created_at
        The version of mlrec and the time of the report, for the end of the page.
    beside
        All protocols, to be shown side by side. None: they are not.

    Returns
    -------
    str
        An HTML document, to be written as UTF-8.
    """
    sections = [_models(evaluations)] if evaluations else []
    if beside and len(beside.evaluations) > 1:
        sections.append(_protocols(beside.columns()))
    if evaluations:
        sections += [_popularity(evaluations), _segments(evaluations)]
    if any(segment.by == "pause" for evaluation in evaluations for segment in evaluation.segments):
        sections.append(_sittings(evaluations))
    if replay:
        sections.append(_replay(replay))
    sections.append(_data(picture))
    return Template(_resource("page.html")).substitute(
        model_id=escape(model_id),
        style=_resource("style.css"),
        summary=_summary(evaluations, replay),
        contents="".join(f'<li><a href="#{section.anchor}">{section.title}</a></li>' for section in [*sections, _FOOT]),
        sections="\n".join(section.html for section in sections),
        foot=_foot(replay, picture, settings),
        fingerprint=escape(picture.fingerprint),
        mlrec_version=escape(mlrec_version),
        created_at=escape(created_at),
    )


def _summary(evaluations: Sequence[Evaluation], replay: Replay | None) -> str:
    said = [words.verdict(evaluation) for evaluation in evaluations]
    shown = words.tiles(evaluations[0]) if evaluations else []
    if replay:
        said.append(words.learning_verdict(replay))
        shown.append(words.learning_tile(replay))
    return f'{"".join(said)}<ul class="tiles">{"".join(tile.html() for tile in shown)}</ul>'


def _models(evaluations: Sequence[Evaluation]) -> Section:
    parts = []
    for number, evaluation in enumerate(evaluations):
        for k in evaluation.ks:
            metric = f"ndcg@{k}"
            chart = charts.models_chart(f"models-{number}-{k}", of_metric(evaluation.models, metric), metric)
            title = f"{metric_name(metric)} on the {split_name(evaluation.split)} split"
            parts.append(_figure(chart, title) + tables.lead_table(evaluation, metric))
        parts.append(_folded(f"All metrics on {split_name(evaluation.split)}", tables.metrics_table(evaluation)))
        parts.append(_small(words.small_print(evaluation)))
    metrics = [metric for evaluation in evaluations for metric in metrics_of(evaluation.models)]
    parts.append(_folded("What the metrics mean", tables.glossary(metrics)))
    return _section(
        "models",
        "Models side by side",
        "Each dot is a model. The line through it is the 95% confidence interval (CI): the range in which the figure"
        " would probably be with other users. Higher figures, on the right, are better. All models were evaluated on"
        " the same users, so a lead can be certain even if two lines overlap. The table shows each lead; p is the"
        " probability that chance alone makes a lead this large.",
        parts,
    )


def _protocols(columns: Sequence[Column]) -> Section:
    figures = [
        _figure(
            charts.models_chart(f"protocol-{number}", column.figures, column.metric),
            f"{column.protocol}, {metric_name(column.metric)}",
            f"{column.users:,} users.",
        )
        for number, column in enumerate(columns)
    ]
    return _section(
        "protocols",
        "Protocols side by side",
        "Each protocol asks another question. user-time: what does somebody like next? global-time: the same, when"
        " nobody's future is known; most users are then new. held-out-users: which of a stranger's likes were left out?"
        " replay: what does a new user like next, swipe by swipe? A model that leads in every chart is better. One that"
        " leads in a single chart fits one question.",
        [
            _grid(figures),
            _folded("The charts in numbers", tables.protocols_table(columns) + tables.protocol_leads_table(columns)),
        ],
    )


def _sittings(evaluations: Sequence[Evaluation]) -> Section:
    parts = []
    for number, evaluation in enumerate(evaluations):
        metric, part = f"ndcg@{evaluation.ks[0]}", split_name(evaluation.split)
        segments = [segment for segment in evaluation.segments if segment.by == "pause"]
        figures = [
            _figure(
                charts.models_chart(f"pause-{number}-{place}", of_metric(segment.models, metric), metric),
                f"{segment.name.capitalize()}, {part}",
                f"{segment.answers:,} relevant movies of {segment.users:,} users.",
            )
            for place, segment in enumerate(segments)
        ]
        parts.append(_grid(figures, three=True))
        parts.append(_folded(f"The charts in numbers, {part}", tables.segments_table(evaluation, "pause", metric)))
    return _section(
        "sittings",
        "Taste, or the order of a page",
        "People often rate down a page of movies. What comes within a minute of the last known event is then the next"
        " line of the page. What comes a day later says more about taste. A model that leads in the first chart and"
        " not in the last has learned the page.",
        parts,
    )


def _popularity(evaluations: Sequence[Evaluation]) -> Section:
    figures = [
        _figure(
            charts.popularity_chart(f"popularity-{number}-{k}", evaluation, k),
            f"{split_name(evaluation.split).capitalize()}, lists of {k}",
        )
        for number, evaluation in enumerate(evaluations)
        for k in evaluation.ks
    ]
    return _section(
        "popularity",
        "Accuracy against popularity",
        "Models at the top are more accurate. Models on the left recommend fewer movies that everybody knows. At 0, the"
        " lists are as popular as the movies that the same users chose before; at +1, they are twice as popular. The"
        " best place is the upper left.",
        [_grid(figures)],
    )


def _segments(evaluations: Sequence[Evaluation]) -> Section:
    parts = []
    for evaluation in evaluations:
        k, part = evaluation.ks[0], split_name(evaluation.split)
        by_history, by_popularity = f"ndcg@{k}", f"recall@{k}"
        parts.append(
            _folded(
                f"{metric_name(by_history)} by length of history, {part}",
                tables.segments_table(evaluation, "history", by_history),
            )
        )
        parts.append(
            _folded(
                f"{metric_name(by_popularity)} by popularity of the relevant movies, {part}",
                tables.segments_table(evaluation, "popularity", by_popularity),
            )
        )
    return _section(
        "segments",
        "Results by user and movie segment",
        "A good mean can hide that a model works well only for users with a long history, or finds only movies that"
        " everybody knows. The movies are divided into three segments, each with a third of all likes.",
        parts,
    )


def _replay(replay: Replay) -> Section:
    metrics = tables.metrics_of_all(replay.curve)
    figures = [
        _figure(
            charts.curve_chart(f"curve-{number}", replay, metric),
            metric_title(metric),
        )
        for number, metric in enumerate(metrics)
    ]
    return _section(
        "replay",
        "Learning from swipes",
        "Users whom the model has never seen are replayed, swipe by swipe. Before each like, every update rule ranks"
        " the movies. The thick line is the rule used in serving, and the band is its 95% CI. Thin lines are other"
        " rules. Click a name to hide or show its line. Lines fall because users have soon seen the movies that"
        " everybody likes, so compare the distances between lines.",
        [
            f'<div class="curves">{_rules(replay)}{_grid(figures)}</div>',
            tables.arms_table(replay),
            _folded("The charts in numbers", tables.curve_table(replay)),
            _small(words.replay_print(replay)),
        ],
    )


def _rules(replay: Replay) -> str:
    """The legend of all curves. Its check boxes hide and show a rule in all of them, with the style sheet alone."""
    boxes = "".join(
        f'<label><input type="checkbox" class="show-{look}"{"" if look.startswith("variant") else " checked"}>'
        f"{sample(look, symbol)}{escape(name)}</label>"
        for name, (look, symbol) in charts.rules_of(replay).items()
    )
    return f'<fieldset class="legend"><legend>Rules</legend>{boxes}</fieldset>'


def _data(picture: DataPicture) -> Section:
    parts = []
    if picture.rating_histogram:
        about = "How often each rating was given, in all ratings that were read."
        if picture.liked_above is not None:
            about += f" Ratings above {picture.liked_above:g} (blue) count as likes."
        parts.append(_figure(charts.ratings_chart("ratings", picture), "Ratings by value", about))
    if picture.steps:
        figures = [
            _figure(charts.steps_chart(f"steps-{what}", picture, what), what.capitalize())
            for what in ("ratings", "users", "movies")
        ]
        about = (
            "Movies and users with few ratings are dropped in rounds until a round changes nothing. The last bar (blue)"
            " is the data that models see."
        )
        parts.append(f"<h3>What is left after filtering</h3><p>{about}</p>{_grid(figures, three=True)}")
        parts.append(_folded("The steps in numbers", tables.steps_table(picture)))
    if picture.months.starts:
        about = "Ratings after filtering, by month and split. " + _split_words(picture)
        chart = charts.months_chart("months", picture.months, picture.cutoff_times)
        looks = "".join(
            f'<span><i class="{charts.split_look(name)}"></i>{split_name(name)}</span>'
            for name in picture.months.events
        )
        legend = f'<p class="legend">{looks}</p>'
        parts.append(_figure(legend + chart, "Ratings over time and the split", about))
    if picture.rejects:
        parts.append(_small([f"{picture.rejects:,} rows could not be used. They are listed in rejects.csv."]))
    about = f"Fingerprint <code>{escape(picture.fingerprint[:12])}</code>"
    if picture.steps:
        last = picture.steps[-1]
        about += f": {last.ratings:,} ratings by {last.users:,} users of {last.movies:,} movies, after the filters"
    return _section("data", "The data", f"{about}.", parts)


def _split_words(picture: DataPicture) -> str:
    counts = ", ".join(f"{split_name(name)} {count:,}" for name, count in picture.splits.items())
    said = f"Ratings by split: {escape(counts)}."
    if not picture.cutoff_times:
        return f"{said} Each user's latest ratings are held out, so every month can have ratings of all splits."
    begins = [
        f"{name} begins on {day(cutoff)}"
        for name, cutoff in (("validation", picture.cutoff_times.val_from), ("test", picture.cutoff_times.test_from))
        if cutoff is not None
    ]
    return f"{said} The dotted lines separate the splits: {' and '.join(begins)}."


def _foot(replay: Replay | None, picture: DataPicture, settings: Mapping[str, Mapping[str, Any]]) -> str:
    shown: dict[str, Mapping[str, Any]] = dict(settings)
    if replay:
        shown |= {"Replay": replay.settings.to_json(), "Serving, in the replay": replay.serve.to_json()}
    shown["Data"] = picture.settings
    shown["Raw files"] = {
        "prepared at": picture.prepared_at,
        **{name: f"sha256 {sha}" for name, sha in picture.files.items()},
    }
    return "".join(tables.settings_list(title, values) for title, values in shown.items())


def _section(anchor: str, title: str, about: str, parts: Iterable[str]) -> Section:
    html = f'<section id="{anchor}"><h2>{title}</h2><p>{about}</p>{"".join(parts)}</section>'
    return Section(anchor, title, html)


def _figure(chart: str, title: str, about: str = "") -> str:
    """A chart with its title and explanation above it."""
    about = f"<p>{about}</p>" if about else ""
    return f"<figure><figcaption><h3>{escape(title)}</h3>{about}</figcaption>{chart}</figure>"


def _grid(figures: Sequence[str], *, three: bool = False) -> str:
    return f'<div class="grid{" three" if three else ""}">{"".join(figures)}</div>'


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def _small(sentences: Sequence[str]) -> str:
    return f'<p class="small">{" ".join(sentences)}</p>'


def _resource(name: str) -> str:
    return resources.files("mlrec.evaluation.report").joinpath(name).read_text(encoding="utf-8")
