"""One evaluation as HTML for a notebook: the report's verdict, charts and tables, in the report's style."""

from __future__ import annotations

from html import escape
from importlib import resources

from mlrec.evaluation.estimates import metrics_of, of_metric
from mlrec.evaluation.protocol import Evaluation
from mlrec.evaluation.report import charts, tables, words
from mlrec.evaluation.wording import metric_name, split_name

# A card of its own paper: the colours of a chart need the background that they were chosen for.
_CARD = (
    "background:var(--paper);color:var(--ink);font:14px/1.5 system-ui,sans-serif;max-width:52rem;padding:1rem;"
    "border-radius:.5rem"
)


def evaluation_html(evaluation: Evaluation) -> str:
    """Return an evaluation as HTML that needs no script, loads nothing, and leaves the style of the page alone."""
    parts = [words.verdict(evaluation)]
    for k in evaluation.ks:
        metric = f"ndcg@{k}"
        parts.append(
            _figure(
                charts.models_chart(f"models-{k}", of_metric(evaluation.models, metric), metric), metric_name(metric)
            )
        )
        parts.append(_figure(charts.popularity_chart(f"popularity-{k}", evaluation, k), "Accuracy against popularity"))
    parts.append(_folded("All metrics", tables.metrics_table(evaluation)))
    first = evaluation.ks[0]
    if any(segment.by == "history" for segment in evaluation.segments):
        parts.append(_folded("By length of history", tables.segments_table(evaluation, "history", f"ndcg@{first}")))
    if any(segment.by == "popularity" for segment in evaluation.segments):
        table = tables.segments_table(evaluation, "popularity", f"recall@{first}")
        parts.append(_folded("By popularity of the relevant movies", table))
    parts.append(_folded("What the metrics mean", tables.glossary(metrics_of(evaluation.models))))
    parts.append(f'<p class="small">{" ".join(words.small_print(evaluation))}</p>')
    title = f"Evaluation on the {split_name(evaluation.split)} split"
    return (
        f"<style>{_style()}</style>"
        f'<div class="mlrec-report" style="{_CARD}"><h3>{escape(title)}</h3>{"".join(parts)}</div>'
    )


def _style() -> str:
    """The report's style sheet, nested so that it applies within the card only, where its variables stand too."""
    sheet = resources.files("mlrec.evaluation.report").joinpath("style.css").read_text(encoding="utf-8")
    return f".mlrec-report {{ {sheet.replace(':root', '&')} }}"


def _figure(chart: str, title: str) -> str:
    return f"<figure><figcaption><h3>{escape(title)}</h3></figcaption>{chart}</figure>"


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{content}</details>"
