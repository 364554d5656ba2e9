"""Evaluation results as tables on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlrec.cli import render
from mlrec.evaluation import wording
from mlrec.evaluation.estimates import best_names
from mlrec.evaluation.wording import interval, lead_cells, number, signed, with_margin
from mlrec.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlrec.evaluation.comparing import Comparison
    from mlrec.evaluation.estimates import Difference, Estimate
    from mlrec.evaluation.protocol import Evaluation, Seeds
    from mlrec.evaluation.replay.replay import Replay
    from mlrec.evaluation.side_by_side import SideBySide
    from mlrec.evaluation.summary import Segment

_CURVE = ("fold-in", "retrain", "gradient", "static", "recent", "popularity")


def show_results(result: Evaluation | Replay | SideBySide, *, with_segments: bool = False) -> None:
    """Render what `mlrec evaluate` has found."""
    from mlrec.evaluation.protocol import Evaluation
    from mlrec.evaluation.replay.replay import Replay

    if isinstance(result, Evaluation):
        show(result, with_segments=with_segments)
    elif isinstance(result, Replay):
        show_replay(result)
    else:
        show_side_by_side(result)


def show_replay(result: Replay) -> None:
    """Render the update rules, the best in bold, and the lead of the rule that serves over each other one."""
    from mlrec.evaluation.replay.arms import SERVED

    k = result.settings.k
    metrics = (f"mrr@{k}", f"disliked@{k}", f"hit_rate@{k}")
    hit_rate = metrics[-1]
    best = {metric: best_names(result.arms, metric) for metric in metrics}
    rows: list[list[str]] = []
    bold: set[tuple[int, int]] = set()
    for name, figures in result.arms.items():
        own, lead = figures[hit_rate], result.differences.get(f"{SERVED} - {name}", {}).get(hit_rate)
        bold |= {(len(rows), column) for column, metric in enumerate(metrics, 1) if name in best[metric]}
        cells = [name, *(number(figures[metric].value) for metric in metrics), interval(own)]
        rows.append([*cells, signed(lead.value), interval(lead)] if lead else cells)
    sample = f", drawn from {result.held_out_users:,}" if result.users < result.held_out_users else ""
    render.table(
        ["rule", *(f"#{metric}" for metric in metrics), "#95% CI", f"#{SERVED} leads by", "#95% CI"],
        rows,
        title=f"Next liked movie in the top {k}: {result.likes:,} likes of {result.users:,} new users{sample}",
        bold_cells=bold,
        keys=1,
    )
    curve = [name for name in _CURVE if name in result.arms]
    for metric in reversed(metrics):
        render.table(
            ["earlier swipes", "#likes", *(f"#{name}" for name in curve)],
            [
                (
                    wording.span_name(part.swipes, part.below),
                    f"{part.likes:,}",
                    *(with_margin(part.arms[name][metric]) for name in curve),
                )
                for part in result.curve
            ],
            title=f"{metric} by number of earlier swipes, ± half the width of the 95% CI",
            keys=1,
        )
    for names, reason in wording.by_reason(result.skipped):
        render.line(f"{wording.skipped(names, reason)}.")
    render.line(
        f"{wording.learned_from(result.learned_events, result.starts_at)}"
        f" {result.outside_core_likes / result.likes:.0%} of the likes are outside the core."
        f" {result.unknown_likes:,} are for movies that the model does not know. They count as misses for every rule."
    )
    render.note(f"Median time to update a user's vector on this machine: {wording.updates(result.update_seconds)}.")


_ACCURACY = ("recall", "capped_recall", "precision", "published_ndcg", "map", "mrr", "hit_rate")
_BEYOND = ("novelty", "diversity", "popularity_lift", "disliked", "coverage")


def show(result: Evaluation, *, with_segments: bool = False) -> None:
    """Render the results, one model per row, the best of each metric in bold."""
    for k in result.ks:
        show_headline(result, k)
        shown = [name for name in _ACCURACY if f"{name}@{k}" in result.models["als"]]
        _show_figures(result, [f"{name}@{k}" for name in shown])
        _show_figures(result, [f"{name}@{k}" for name in _BEYOND if f"{name}@{k}" not in result.not_applicable])
    if with_segments:
        _show_segments(result, result.ks[0])
    if result.seeds is not None:
        _show_seeds(result.seeds, result.models["als"], result.ks)
    for names, reason in wording.by_reason(result.skipped):
        render.line(f"{wording.skipped(names, reason)}. To include it: --baseline {names[0]}")
    if result.recommendations:
        from mlrec.evaluation.foreign_lists import told

        for said in told(result):
            render.line(said)
    render.line(wording.where_relevant(**vars(result.relevant)))
    if result.half_lives:
        render.line(wording.half_lives(result.half_lives))
    if "sequence" in result.models:
        render.line(wording.SEQUENCE)
    render.line(wording.how_split(result.protocol, result.ordered_by))
    for said in wording.divided(shuffled=result.shuffled_sittings, on_all=result.split_on == "all"):
        render.line(said)
    for metric, reason in result.not_applicable.items():
        render.line(f"{metric} is not applicable: {reason}.")
    if result.trained_anew:
        settings_of = wording.settings_of(result.model_id)
        render.line(f"This model was trained in memory, with {settings_of}. Nothing was written.")
    if result.users_left_out:
        render.line(wording.left_out(result.users_left_out))


def show_headline(result: Evaluation, k: int) -> None:
    """Render NDCG with confidence intervals, and the lead of the model over each baseline."""
    metric = f"ndcg@{k}"
    best, whom = best_names(result.models, metric), wording.whom(result.users, result.sample, result.judged)
    rows = []
    for name, figures in result.models.items():
        own, lead = figures[metric], result.differences.get(f"als - {name}", {}).get(metric)
        cells = [name, number(own.value), interval(own)]
        if lead:
            cells += lead_cells(lead)
        rows.append(cells)
    render.table(
        ["model", f"#{metric}", "#95% CI", "#als leads by", "#95% CI", "#p"],
        rows,
        title=f"{result.split}, {wording.relevant(result.relevance, result.relevance_within)},"
        f" history {result.history}: {whom}",
        bold_cells={(row, 1) for row, name in enumerate(result.models) if name in best},
        keys=1,
    )
    if len(result.differences) > 1 and any(own[metric].is_sure for own in result.differences.values()):
        render.line(wording.significant(len(result.differences)))
    from mlrec.evaluation.protocol import NO_RIVALS

    rivals = [name for name in result.models if name not in NO_RIVALS]
    if rivals:
        rival = max(rivals, key=lambda name: result.models[name][metric].value)
        aside = " apart from sequence" if "sequence" in result.models else ""
        ahead = result.differences[f"als - {rival}"][f"precision@{k}"].value
        render.line(f"{wording.more_found(k, ahead, 'als', rival)}, the best baseline{aside}.")


def show_side_by_side(result: SideBySide) -> None:
    """Render the headline figure of each model by each protocol, and the lead of the model over each other one."""
    columns = result.columns()
    names = list(dict.fromkeys(name for column in columns for name in column.figures))
    heads = [f"#{column.protocol}, {column.metric}" for column in columns]
    best = [
        (names.index(name), place)
        for place, column in enumerate(columns, 1)
        for name in best_names({name: {"": own} for name, own in column.figures.items()}, "")
    ]
    render.table(
        ["model", *heads],
        [
            [name, *(with_margin(own) if (own := column.figures.get(name)) else "" for column in columns)]
            for name in names
        ],
        title="Protocols side by side, ± half the width of the 95% CI",
        bold_cells=set(best),
        keys=1,
    )
    render.table(
        ["als leads", *heads],
        [[name, *(_lead(column.leads.get(name)) for column in columns)] for name in names if name != "als"],
        title="Lead of als over each other model, with the 95% CI",
        keys=1,
    )
    for column in columns:
        render.line(f"{column.protocol}: {counted(column.users, 'user')}.")
    render.line(f"{wording.SURE} significant at 5% after Holm's correction for the comparisons within one protocol.")
    for name, reason in result.skipped.items():
        render.line(f"{name} was skipped: {reason}")


def _lead(lead: Difference | None) -> str:
    if lead is None:
        return ""
    mark = f" {wording.SURE}" if lead.is_sure else ""
    return f"{signed(lead.value, 3)} [{interval(lead)}]{mark}"


def _show_seeds(seeds: Seeds, own: Mapping[str, Estimate], ks: tuple[int, ...]) -> None:
    """Render how far figures depend on the random seed of the training, beside their intervals over users."""
    render.table(
        ["metric", *(f"#seed {seed}" for seed in seeds.random_seeds), "#next training, 95%", "#95% CI over users"],
        [
            (metric, *map(number, seeds.models[metric]), interval(seeds.spread[metric]), interval(own[metric]))
            for k in ks
            for metric in (f"ndcg@{k}", f"recall@{k}")
        ],
        title="als by random seed of the training",
        keys=1,
    )


def _show_figures(result: Evaluation, metrics: list[str]) -> None:
    bold = set()
    for column, metric in enumerate(metrics, start=1):
        best = best_names(result.models, metric)
        bold |= {(row, column) for row, name in enumerate(result.models) if name in best}
    render.table(
        ["model", *(f"#{name}" for name in metrics)],
        [(name, *(number(figures[metric].value) for metric in metrics)) for name, figures in result.models.items()],
        bold_cells=bold,
        keys=1,
    )


def _show_segments(result: Evaluation, k: int) -> None:
    """Render NDCG by length of history and by pause, and recall by popularity of the relevant movies."""
    users = [segment for segment in result.segments if segment.by == "history"]
    movies = [segment for segment in result.segments if segment.by == "popularity"]
    _show_parts(f"ndcg@{k} by length of history", "known events", users, f"ndcg@{k}")
    _show_parts(
        f"recall@{k} by popularity of the relevant movies (each row has a third of the likes in train)",
        "movies",
        movies,
        f"recall@{k}",
    )
    pauses = [segment for segment in result.segments if segment.by == "pause"]
    _show_parts(f"ndcg@{k} by time since the user's last known event", "time since", pauses, f"ndcg@{k}")


def _show_parts(title: str, column: str, parts: list[Segment], metric: str) -> None:
    if not parts:
        return
    names = list(parts[0].models)
    rows: list[list[str]] = []
    bold: set[tuple[int, int]] = set()
    for part in parts:
        name = part.name if part.movies is None else f"{part.name} ({part.movies:,})"
        best = best_names(part.models, metric)
        bold |= {(len(rows), column) for column, model in enumerate(names, start=3) if model in best}
        figures = (with_margin(part.models[model][metric]) for model in names)
        rows.append([name, f"{part.users:,}", f"{part.answers:,}", *figures])
    render.table(
        [column, "#users", "#relevant", *(f"#{name}" for name in names)], rows, title=title, bold_cells=bold, keys=1
    )


def show_comparison(result: Comparison) -> None:
    """Render two models side by side, the better one of each metric in bold."""
    models = (result.first, result.second)
    rows: list[list[str]] = []
    bold: set[tuple[int, int]] = set()
    for metric, lead in result.difference.items():
        best = best_names(result.models, metric)
        bold |= {(len(rows), column) for column, name in enumerate(models, 1) if name in best}
        rows.append(
            [metric, *(number(result.models[name][metric].value) for name in models), *lead_cells(lead, digits=4)]
        )
    render.table(
        ["metric", f"#{result.first}", f"#{result.second}", "#difference", "#95% CI", "#p"],
        rows,
        title=f"{result.split}, {wording.relevant(result.relevance, result.relevance_within)},"
        f" history {result.history}: {counted(result.users, 'user')}",
        bold_cells=bold,
        keys=1,
    )
    if result.answers_left_out:
        render.line(
            f"{result.answers_left_out:,} held-out ratings were skipped, because one of the models was trained on them."
        )
