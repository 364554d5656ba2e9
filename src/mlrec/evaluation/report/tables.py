"""The report's tables as HTML. Text from the data is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from mlrec.evaluation.estimates import LESS_IS_BETTER, Difference, Estimate, best_names, kind_of, metrics_of
from mlrec.evaluation.protocol import MODEL, Evaluation
from mlrec.evaluation.replay.arms import SERVED
from mlrec.evaluation.replay.replay import Part, Replay
from mlrec.evaluation.report.data import DataPicture
from mlrec.evaluation.report.words import printed
from mlrec.evaluation.side_by_side import Column
from mlrec.evaluation.wording import (
    MEANINGS,
    SURE,
    interval,
    lead_cells,
    metric_name,
    metric_title,
    number,
    short_span,
    signed,
    split_name,
)
from mlrec.plurals import counted


@dataclass(frozen=True)
class Cell:
    """A table cell: text, whether it is the best value, and a smaller second line."""

    text: str
    best: bool = False
    second: str = ""

    def html(self) -> str:
        """Return the content of the cell as HTML."""
        text = f"<strong>{escape(self.text)}</strong>" if self.best else escape(self.text)
        return f"{text}<small>{escape(self.second)}</small>" if self.second else text


def table(caption: str, head: Sequence[str], rows: Iterable[tuple[Cell, Sequence[Cell], bool]]) -> str:
    """Return a table in a box that scrolls, and that shows so if it is too narrow for all columns.

    A row is a header, cells, and whether the row is highlighted.
    """
    rows = list(rows)
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    has_intervals = any(cell.second for _, cells, _ in rows for cell in cells)
    width = (
        " most" if len(head) > 8 else " many" if len(head) > 4 else " some" if len(head) == 4 and has_intervals else ""
    )
    body = "".join(
        f'<tr{" class=judged" if stands_out else ""}><th scope="row">{header.html()}</th>'
        + "".join(f"<td>{cell.html()}</td>" for cell in cells)
        + "</tr>"
        for header, cells, stands_out in rows
    )
    return (
        f'<div class="box"><div class="scroll{width}" tabindex="0" role="region"'
        f' aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></div></div>"
    )


def lead_table(evaluation: Evaluation, metric: str) -> str:
    """Return one metric of all models, best first, and the evaluated model's lead over each other one."""
    order = sorted(evaluation.models, key=lambda name: -evaluation.models[name][metric].value)
    best = best_names(evaluation.models, metric)
    rows = []
    for name in order:
        own = evaluation.models[name][metric]
        lead = evaluation.differences.get(f"{MODEL} - {name}", {}).get(metric)
        rows.append((Cell(name), [_number(own, name in best), Cell(_bounds(own)), *_lead(lead)], name == MODEL))
    return table(
        f"{metric_name(metric)} on {split_name(evaluation.split)}, and the lead of {MODEL}",
        ["model", metric_name(metric), "95% CI", f"{MODEL} leads by", "95% CI", "p"],
        rows,
    )


def metrics_table(evaluation: Evaluation) -> str:
    """Return all metrics of all models with their confidence intervals."""
    names = list(evaluation.models)
    rows = []
    for metric in metrics_of(evaluation.models):
        best = best_names(evaluation.models, metric)
        cells = []
        for name in names:
            own = evaluation.models[name].get(metric)
            cells.append(_figure(own, name in best) if own else Cell("–"))
        rows.append((_metric_header(metric), cells, False))
    return table(f"All metrics on {split_name(evaluation.split)}, with 95% CI", ["metric", *names], rows)


def arms_table(replay: Replay) -> str:
    """Return all metrics of the arms, and the lead of the served arm over each other one."""
    metrics = metrics_of(replay.arms)
    best = {metric: best_names(replay.arms, metric) for metric in metrics}
    rows = []
    for name, figures in replay.arms.items():
        cells = []
        for metric in metrics:
            own, lead = figures.get(metric), replay.differences.get(f"{SERVED} - {name}", {}).get(metric)
            cells.append(_figure(own, name in best[metric]) if own else Cell("–"))
            cells.append(Cell(printed(signed(lead.value)), second=_bounds(lead)) if lead else Cell(""))
        rows.append((Cell(name), cells, name == SERVED))
    head = [column for metric in metrics for column in (metric_title(metric), f"{SERVED} leads by")]
    return table("Update rules over all likes, with 95% CI", ["rule", *head], rows)


def curve_table(replay: Replay) -> str:
    """Return the figures of the replay's charts: metrics of the arms by number of earlier swipes."""
    rows = []
    for part in replay.curve:
        for metric in metrics_of_all(replay.curve):
            header = Cell(
                f"{short_span(part.swipes, part.below)} before", second=f"{metric_name(metric)}, {part.likes:,} likes"
            )
            cells = [
                Cell(f"{own.value:.3f}", second=_bounds(own)) for own in (part.arms[name][metric] for name in part.arms)
            ]
            rows.append((header, cells, False))
    return table("Metrics by number of earlier swipes, with 95% CI", ["swipes", *replay.curve[0].arms], rows)


_SEGMENTS: Mapping[str, str] = {
    "history": "by number of known events of a user",
    "popularity": "by popularity of the relevant movies",
    "pause": "by time since the user's last known event",
}


def segments_table(evaluation: Evaluation, by: Literal["history", "popularity", "pause"], metric: str) -> str:
    """Return one metric of the models by segment of the users or of the relevant movies."""
    rows: list[tuple[Cell, Sequence[Cell], bool]] = []
    for segment in evaluation.segments:
        if segment.by != by:
            continue
        if by == "history":
            header = Cell(f"{segment.name} events", second=counted(segment.users, "user"))
        elif segment.movies is None:
            header = Cell(segment.name, second=f"{counted(segment.users, 'user')}, {segment.answers:,} relevant")
        else:
            header = Cell(segment.name, second=f"{counted(segment.movies, 'movie')}, {segment.answers:,} relevant")
        best = best_names(segment.models, metric)
        cells = [_figure(own[metric], name in best) for name, own in segment.models.items()]
        rows.append((header, cells, False))
    return table(f"{metric_name(metric)} {_SEGMENTS[by]}, with 95% CI", ["segment", *evaluation.models], rows)


def protocols_table(columns: Sequence[Column]) -> str:
    """Return the headline figure of each model by each protocol, with its confidence interval."""
    best = [best_names({name: {"": own} for name, own in column.figures.items()}, "") for column in columns]
    rows = [
        (
            Cell(name),
            [
                _figure(column.figures[name], name in best_ones) if name in column.figures else Cell("")
                for column, best_ones in zip(columns, best, strict=True)
            ],
            name == MODEL,
        )
        for name in dict.fromkeys(name for column in columns for name in column.figures)
    ]
    return table("Protocols side by side, with 95% CI", ["model", *map(_head, columns)], rows)


def protocol_leads_table(columns: Sequence[Column]) -> str:
    """Return the lead of the evaluated model over each other one by each protocol, with its confidence interval."""
    rows = [
        (
            Cell(name),
            [
                Cell(printed(_marked(lead)), second=_bounds(lead)) if (lead := column.leads.get(name)) else Cell("")
                for column in columns
            ],
            False,
        )
        for name in dict.fromkeys(name for column in columns for name in column.leads)
    ]
    return table(f"Lead of {MODEL} by each protocol, with 95% CI", [f"{MODEL} leads", *map(_head, columns)], rows)


def _head(column: Column) -> str:
    return f"{column.protocol}, {metric_name(column.metric)}"


def _marked(lead: Difference) -> str:
    return f"{signed(lead.value)} {SURE}" if lead.is_sure else signed(lead.value)


def steps_table(picture: DataPicture) -> str:
    """Return what is left after each step of the preparation."""
    rows = [
        (Cell(step.name), [Cell(f"{step.ratings:,}"), Cell(f"{step.users:,}"), Cell(f"{step.movies:,}")], False)
        for step in picture.steps
    ]
    return table("What is left after each step", ["step", "ratings", "users", "movies"], rows)


def settings_list(title: str, values: Mapping[str, Any]) -> str:
    """Return a list of settings with their values."""
    items = "".join(
        f"<div><dt>{escape(name.replace('_', ' '))}</dt><dd>{escape(_value(value))}</dd></div>"
        for name, value in values.items()
    )
    return f"<section><h3>{escape(title)}</h3><dl>{items}</dl></section>"


def glossary(metrics: Iterable[str]) -> str:
    """Explain each metric that has an explanation."""
    kinds = dict.fromkeys(map(kind_of, metrics))
    items = "".join(
        f"<div><dt>{metric_name(kind)}</dt><dd>{MEANINGS[kind]}</dd></div>" for kind in kinds if kind in MEANINGS
    )
    return f"<dl>{items}</dl>"


def metrics_of_all(curve: Iterable[Part]) -> list[str]:
    """Return the metrics that every rule has in every part of a curve, in order."""
    rows = [row for part in curve for row in part.arms.values()]
    return [metric for metric in rows[0] if all(metric in row for row in rows)]


def _number(own: Estimate, best: bool) -> Cell:
    return Cell(printed(number(own.value)), best)


def _figure(own: Estimate, best: bool) -> Cell:
    return Cell(printed(number(own.value)), best, _bounds(own))


def _bounds(own: Estimate | Difference) -> str:
    """The confidence interval; empty if there is none."""
    return "" if own.low is None else printed(interval(own))


def _lead(lead: Difference | None) -> list[Cell]:
    return [Cell("")] * 3 if lead is None else [Cell(printed(text)) for text in lead_cells(lead)]


def _metric_header(metric: str) -> Cell:
    return Cell(metric_name(metric), second="lower is better" if kind_of(metric) in LESS_IS_BETTER else "")


def _value(value: Any) -> str:
    """A setting for people to read. None stands for infinity, or for a value that is derived from the data."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {_value(own)}" for name, own in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_value(own) for own in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
