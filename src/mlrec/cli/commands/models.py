"""mlrec models: list, show, compare, publish and delete models."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlrec.cli import evaluation_tables, render
from mlrec.cli.help import Group
from mlrec.cli.options import DATA_DIR_DEFAULT, AsJson, DataDir, HeldOut, JsonOut, Threads, examples
from mlrec.cli.output import checked_json_target, write_json_output
from mlrec.cli.progress import progress
from mlrec.evaluation.wording import metric_name
from mlrec.plurals import counted
from mlrec.settings import EvaluateSettings, Relevance, RelevanceWithin

if TYPE_CHECKING:
    from mlrec.artifacts.metrics_file import GateRecord, KnownPart, Metrics, Result, ResultKind, Verdict
    from mlrec.artifacts.registry import Summary
    from mlrec.settings import SplitName
    from mlrec.workspace import Workspace

app = typer.Typer(
    cls=Group,
    help="List, show, compare, publish and delete trained models.",
    no_args_is_help=True,
    epilog=examples("mlrec models list", "mlrec models use 20261123T142501-als-3f9a"),
)

# The evaluations that the list shows: what was held out, and what was known.
_HEADLINES: "tuple[tuple[SplitName, KnownPart], ...]" = (("val", "train"), ("test", "train+val"))
# Kinds of results, the preferred one first, with their marks in the list; and the names of all kinds.
_KINDS: "tuple[tuple[ResultKind, str], ...]" = (("liked-all", ""), ("liked", "°"))
_KIND_NAMES: "dict[ResultKind, str]" = {
    "liked-all": "liked", "any-all": "any", "liked": "liked, of the core", "any": "any, of the core"
}  # fmt: skip

_VERDICTS: "dict[Verdict, str]" = {"publish": "not worse", "worse": "worse", "too-few-users": "too few users"}

# A longer note would push the columns of all models apart. 'mlrec models show' has the whole.
_NOTE_WIDTH = 40

OptionalId = Annotated[str | None, typer.Argument(metavar="[ID]", help="Model id. Without it, the published model.")]
RequiredId = Annotated[str, typer.Argument(metavar="ID", help="Model id, as shown by 'mlrec models list'.")]


@app.command("list", epilog=examples("mlrec models list --json"))
def list_models(as_json: AsJson = False, data_dir: DataDir = DATA_DIR_DEFAULT) -> None:
    """List all models, oldest first. An arrow marks the published one."""
    from mlrec.artifacts import registry
    from mlrec.workspace import Workspace

    workspace = Workspace(data_dir)
    current = registry.published_id(workspace)
    summaries = [registry.summary(workspace, model_id) for model_id in registry.list_ids(workspace)]
    if as_json:
        render.print_json({"current": current, "models": [summary.to_json() for summary in summaries]})
        return
    if not summaries:
        render.line(f"There are no models yet. {workspace.next_step_hint}")
        return
    fingerprint = _fingerprint(workspace)
    judges = {summary.model_id: summary for summary in summaries}
    judge_of = {
        summary.model_id: judges.get(summary.info.judged_by)
        for summary in summaries
        if summary.info and summary.info.judged_by and not summary.metrics.results
    }
    whole = {
        summary.model_id: render.plain((summary.info.note if summary.info else None) or "") for summary in summaries
    }
    notes = {model_id: render.clipped(note, _NOTE_WIDTH) for model_id, note in whole.items()}
    gates = {summary.model_id: _gate_cell(summary, judge_of.get(summary.model_id)) for summary in summaries}
    columns = ["", "model", "#factors", "#alpha", "#λ", "trained on", "#ndcg@10 val", "#ndcg@10 test"]
    further = {name: cells for name, cells in (("gate", gates), ("note", notes)) if any(cells.values())}
    render.table(
        [*columns, *further],
        [
            (
                "→" if summary.model_id == current else "",
                summary.model_id,
                *_settings_cells(summary),
                *(
                    _cell(summary, judge_of.get(summary.model_id), split, history, fingerprint)
                    for split, history in _HEADLINES
                ),
                *(cells[summary.model_id] for cells in further.values()),
            )
            for summary in summaries
        ],
        keys=2,
    )
    if any(_mark(summary, fingerprint) for summary in summaries):
        render.line(
            "* Evaluated on other data than is prepared now. 'mlrec models compare' evaluates two models on the same."
        )
    if any(_is_of_core(summary.metrics) for summary in summaries):
        render.line("° Only movies of the core could be listed and relevant, as in earlier versions.")
    if "gate" in further:
        render.line("gate: NDCG@10 on validation, minus that of the model that was published then, with its 95% CI.")
    if any(judge and judge.metrics.results for judge in judge_of.values()):
        render.line("~ Result of the model that was evaluated in its place. This one has seen the held-out events.")
    if notes != whole:
        render.line("… The note continues. To read it all: mlrec models show ID")


def _fingerprint(workspace: "Workspace") -> str | None:
    """Return the fingerprint of the prepared data, or None without any."""
    from mlrec.artifacts.prepared import read_manifest
    from mlrec.errors import MlrecError

    try:
        return read_manifest(workspace).fingerprint
    except MlrecError:
        return None


def _is_of_core(metrics: "Metrics") -> bool:
    return any(_headline(metrics, split, history).endswith(_KINDS[1][1]) for split, history in _HEADLINES)


def _mark(summary: "Summary", fingerprint: str | None) -> str:
    of_other_data = fingerprint is not None and summary.info and summary.info.prepared_fingerprint != fingerprint
    return "*" if of_other_data and summary.metrics.results else ""


def _settings_cells(summary: "Summary") -> tuple[object, ...]:
    if summary.info is None:
        return "", "", "", summary.kind
    settings = summary.info.settings
    regularization = "" if settings.regularization is None else f"{settings.regularization:.3g}"
    return settings.factors, f"{settings.alpha:g}", regularization, settings.on


def _cell(
    summary: "Summary", judge: "Summary | None", split: "SplitName", history: "KnownPart", fingerprint: str | None
) -> str:
    """Return a model's result, or that of the model that was evaluated in its place."""
    if judge is None:
        return _headline(summary.metrics, split, history) + _mark(summary, fingerprint)
    figure = _headline(judge.metrics, split, history)
    return f"~{figure}{_mark(judge, fingerprint)}" if figure else ""


def _gate_cell(summary: "Summary", judge: "Summary | None") -> str:
    """Return what the gate found of a model, or of the model that was evaluated in its place."""
    if (own := summary.metrics.gate) is not None:
        return _told_gate(own)
    return f"~{_told_gate(judge.metrics.gate)}" if judge and judge.metrics.gate else ""


def _told_gate(found: "GateRecord") -> str:
    lead = found.difference
    interval = "" if lead.low is None else f" [{lead.low:+.4f}, {lead.high:+.4f}]"
    return f"{_VERDICTS[found.verdict]}: {lead.value:+.4f}{interval}"


def _headline(metrics: "Metrics", split: "SplitName", history: "KnownPart") -> str:
    """Return the figure for all movies, or else that for the core with a mark."""
    for kind, mark in _KINDS:
        result = metrics.of(split, history, kind)
        if figure := result.models.get("als", {}).get("ndcg@10") if result else None:
            return f"{figure.value:.4f}{mark}"
    return ""


@app.command("show", epilog=examples("mlrec models show", "mlrec models show 20261123T142501-als-3f9a --json"))
def show_model(model_id: OptionalId = None, as_json: AsJson = False, data_dir: DataDir = DATA_DIR_DEFAULT) -> None:
    """Show the settings, the data and the evaluation results of a model."""
    from mlrec.artifacts import metrics_file, model_folder, registry
    from mlrec.workspace import Workspace

    files = registry.resolve(Workspace(data_dir), model_id)
    info, metrics = model_folder.open_model(files).info, metrics_file.read_metrics(files)
    document = dict(info.document)
    if as_json:
        render.print_json({**document, "metrics": metrics.document})
        return
    document.pop("files", None)  # checksums, for 'mlrec doctor' only
    document.pop("choice", None)  # --json shows every point that was tried
    render.table(["", ""], _flattened(document), title=info.model_id)
    if info.choice is not None and info.settings.on == "train":
        from mlrec.evaluation.choosing import summary_of

        for said in summary_of(info.choice):
            render.line(said)
    rows = [
        (split, history, _KIND_NAMES[kind], f"{result.users:,}", *_figures(result, model))
        for split, by_history in metrics.results.items()
        for history, by_kind in by_history.items()
        for kind, result in by_kind.items()
        for model in ("als", "popularity")
        if model in result.models
    ]
    if rows:
        columns = ["split", "history", "movies", "#users", "model", "#ndcg@10", "#95% CI", "#recall@10"]
        render.table(columns, rows, title="Evaluation results", keys=3)
    elif judge := info.judged_by:
        render.line(f"{judge} was evaluated in its place. This model has seen the held-out events.")
    elif info.settings.on == "all":
        render.line("This model has not been evaluated, because it was trained on all data.")
    else:
        render.line(f"This model has not been evaluated. Next: mlrec evaluate --model {info.model_id}")
    if metrics.gate is not None:
        render.line(_gate_line(metrics.gate))


def _gate_line(found: "GateRecord") -> str:
    against = found.published + (f" ({found.judged_in_its_place} in its place)" if found.judged_in_its_place else "")
    enough = f" About {found.users_needed:,} users would do." if found.users_needed else ""
    return (
        f"Gate, against {against}: {_told_gate(found)} in {metric_name(found.metric)} on validation, over"
        f" {counted(found.users, 'user')}. A loss of up to {found.margin:.4f} ({100 * found.largest_loss:.3g}%) was"
        f" accepted.{enough}"
    )


def _figures(result: "Result", model: str) -> list[str]:
    own = result.models[model]
    ndcg, recall = own.get("ndcg@10"), own.get("recall@10")
    interval = f"{ndcg.low:.3f} to {ndcg.high:.3f}" if ndcg and ndcg.low is not None else ""
    return [model, f"{ndcg.value:.4f}" if ndcg else "", interval, f"{recall.value:.4f}" if recall else ""]


@app.command(
    "compare",
    epilog=examples("mlrec models compare 20261123T142501-als-3f9a 20261124T090012-als-77c0 --split test -k 10 -k 50"),
)
def compare_models(
    first: RequiredId,
    second: RequiredId,
    split: HeldOut = EvaluateSettings.split,
    k: Annotated[
        list[int] | None,
        typer.Option("-k", "--k", metavar="N", min=1, help="Length of the lists. Repeatable.", show_default="10"),
    ] = None,
    relevance: Annotated[
        Relevance, typer.Option(help="Which held-out movies are relevant: the liked ones, or any rated one.")
    ] = EvaluateSettings.relevance,
    relevance_within: Annotated[
        RelevanceWithin,
        typer.Option(help="Whether all movies can be listed and relevant, or only those of the core."),
    ] = EvaluateSettings.relevance_within,
    threads: Threads = 0,
    as_json: AsJson = False,
    json_out: JsonOut = None,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Compare two models on the same users: the metrics of each, and the paired difference with its 95% CI.

    Both are evaluated on the data that is prepared now. Held-out movies that either model was trained on do not count.
    """
    from mlrec.evaluation.comparing import compare
    from mlrec.workspace import Workspace

    workspace = Workspace(data_dir)
    checked_json_target(json_out, source=str(workspace.users_db))
    settings = EvaluateSettings(
        split=split,
        ks=tuple(k) if k else None,
        relevance=relevance,
        relevance_within=relevance_within,
        threads=threads,
    )
    result = compare(workspace, first, second, settings, progress=progress())
    write_json_output(json_out, result.to_json(), source=str(workspace.users_db))
    if as_json:
        render.print_json(result.to_json())
    else:
        evaluation_tables.show_comparison(result)


def _flattened(document: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in document.items():
        if isinstance(value, dict):
            rows += _flattened(value, f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return rows


@app.command("use", epilog=examples("mlrec models use 20261123T142501-als-3f9a"))
def use_model(model_id: RequiredId, data_dir: DataDir = DATA_DIR_DEFAULT) -> None:
    """Publish a model, so that serving uses it from now on.

    This is also the way back to an earlier model.
    """
    from mlrec.artifacts import registry
    from mlrec.workspace import Workspace

    registry.publish(Workspace(data_dir), model_id)
    render.line(f"Published {model_id}.")


@app.command("remove", epilog=examples("mlrec models remove 20261123T142501-als-3f9a"))
def remove_model(model_id: RequiredId, data_dir: DataDir = DATA_DIR_DEFAULT) -> None:
    """Delete a model. The published model cannot be deleted."""
    from mlrec.artifacts import registry
    from mlrec.workspace import Workspace

    workspace = Workspace(data_dir)
    with workspace.writing("models remove"):
        registry.remove(workspace, model_id)
    render.line(f"Deleted {model_id}.")


@app.command("prune", epilog=examples("mlrec models prune --keep 3"))
def prune_models(
    keep: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Number of the newest models to keep, in addition to the published one."),
    ] = 5,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Delete all models except the newest ones and the published one."""
    from mlrec.artifacts import registry
    from mlrec.workspace import Workspace

    workspace = Workspace(data_dir)
    with workspace.writing("models prune"):
        deleted = registry.prune(workspace, keep)
    if as_json:
        render.print_json({"deleted": deleted})
    else:
        render.line(f"Deleted {counted(len(deleted), 'model')}.")
