"""mlrec models: see, publish and delete models."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlrec.cli import evaluation_tables, render
from mlrec.cli.help import Group
from mlrec.cli.options import DATA_DIR_DEFAULT, AsJson, DataDir, HeldOut, Threads, examples
from mlrec.cli.progress import progress
from mlrec.settings import EvaluateSettings, Relevance

if TYPE_CHECKING:
    from mlrec.artifacts.metrics_file import KnownPart, Metrics, Result
    from mlrec.artifacts.registry import Summary
    from mlrec.settings import SplitName
    from mlrec.workspace import Workspace

app = typer.Typer(
    cls=Group,
    help="See, compare, publish and delete trained models.",
    no_args_is_help=True,
    epilog=examples("mlrec models list", "mlrec models use 20261123T142501-als-3f9a"),
)

# What was held out, and what was known, of the evaluations that a listing shows.
_HEADLINES: "tuple[tuple[SplitName, KnownPart], ...]" = (("val", "train"), ("test", "train+val"))

OptionalId = Annotated[str | None, typer.Argument(metavar="[ID]", help="Model id; the published one by default.")]
RequiredId = Annotated[str, typer.Argument(metavar="ID", help="Model id, as 'mlrec models list' shows it.")]


@app.command("list", epilog=examples("mlrec models list --json"))
def list_models(as_json: AsJson = False, data_dir: DataDir = DATA_DIR_DEFAULT) -> None:
    """List all models, oldest first; the published one is marked."""
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
    notes = {summary.model_id: (summary.info.note if summary.info else None) or "" for summary in summaries}
    columns = ["", "model", "#factors", "#alpha", "#λ", "trained on", "#ndcg@10 val", "#ndcg@10 test"]
    render.table(
        [*columns, "note"] if any(notes.values()) else columns,
        [
            (
                "→" if summary.model_id == current else "",
                summary.model_id,
                *_settings_cells(summary),
                *(
                    _cell(summary, judge_of.get(summary.model_id), split, history, fingerprint)
                    for split, history in _HEADLINES
                ),
                *([notes[summary.model_id]] if any(notes.values()) else []),
            )
            for summary in summaries
        ],
        keys=2,
    )
    if any(_mark(summary, fingerprint) for summary in summaries):
        render.line("* judged on other data than what is prepared now; 'mlrec models compare' judges on the same.")
    if any(judge and judge.metrics.results for judge in judge_of.values()):
        render.line("~ of the model that was judged in its place; this one has learned from everything.")


def _fingerprint(workspace: "Workspace") -> str | None:
    """That of the prepared data; None without any."""
    from mlrec.artifacts.prepared import read_manifest
    from mlrec.errors import MlrecError

    try:
        return read_manifest(workspace).fingerprint
    except MlrecError:
        return None


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
    """A model's figure, or that of the model that was judged in its place."""
    if judge is None:
        return _headline(summary.metrics, split, history) + _mark(summary, fingerprint)
    figure = _headline(judge.metrics, split, history)
    return f"~{figure}{_mark(judge, fingerprint)}" if figure else ""


def _headline(metrics: "Metrics", split: "SplitName", history: "KnownPart") -> str:
    result = metrics.of(split, history, "liked")
    figure = result.models.get("als", {}).get("ndcg@10") if result else None
    return f"{figure.value:.4f}" if figure else ""


@app.command("show", epilog=examples("mlrec models show", "mlrec models show 20261123T142501-als-3f9a --json"))
def show_model(model_id: OptionalId = None, as_json: AsJson = False, data_dir: DataDir = DATA_DIR_DEFAULT) -> None:
    """Show what a model was trained with and on, and how it was judged."""
    from mlrec.artifacts import metrics_file, model_folder, registry
    from mlrec.workspace import Workspace

    files = registry.resolve(Workspace(data_dir), model_id)
    info, metrics = model_folder.open_model(files).info, metrics_file.read_metrics(files)
    document = dict(info.document)
    if as_json:
        render.print_json({**document, "metrics": metrics.document})
        return
    document.pop("files", None)  # checksums, which are for 'mlrec doctor'
    render.table(["", ""], _flattened(document), title=info.model_id)
    rows = [
        (split, history, relevance, f"{result.users:,}", *_figures(result, model))
        for split, by_history in metrics.results.items()
        for history, by_relevance in by_history.items()
        for relevance, result in by_relevance.items()
        for model in ("als", "popularity")
        if model in result.models
    ]
    if rows:
        columns = ["part", "history", "movies", "#users", "model", "#ndcg@10", "#95% interval", "#recall@10"]
        render.table(columns, rows, title="How it was judged", keys=3)
    elif judge := info.judged_by:
        render.line(f"It has learned from everything; {judge} was judged in its place.")
    else:
        render.line("It has not been judged: mlrec evaluate")


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
        typer.Option(
            "-k", "--k", metavar="N", min=1, help="List length; may be given several times.", show_default="10"
        ),
    ] = None,
    relevance: Annotated[
        Relevance, typer.Option(help="Movies to be found: the liked ones, or any rated one.")
    ] = EvaluateSettings.relevance,
    threads: Threads = 0,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Compare two models on the same users: what each finds, and the paired difference with its interval.

    Both are judged on the present prepared data, and only on answers that neither has learned from.
    """
    from mlrec.evaluation.comparing import compare
    from mlrec.workspace import Workspace

    settings = EvaluateSettings(split=split, ks=tuple(k) if k else None, relevance=relevance, threads=threads)
    result = compare(Workspace(data_dir), first, second, settings, progress=progress())
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
    """Publish a model: serve it from now on. This is also the way back to an earlier one."""
    from mlrec.artifacts import registry
    from mlrec.workspace import Workspace

    registry.publish(Workspace(data_dir), model_id)
    render.line(f"{model_id} is published.")


@app.command("remove", epilog=examples("mlrec models remove 20261123T142501-als-3f9a"))
def remove_model(model_id: RequiredId, data_dir: DataDir = DATA_DIR_DEFAULT) -> None:
    """Delete a model that is not published."""
    from mlrec.artifacts import registry
    from mlrec.workspace import Workspace

    workspace = Workspace(data_dir)
    with workspace.writing("models remove"):
        registry.remove(workspace, model_id)
    render.line(f"{model_id} is deleted.")


@app.command("prune", epilog=examples("mlrec models prune --keep 3"))
def prune_models(
    keep: Annotated[
        int, typer.Option(metavar="N", min=1, help="How many of the newest to keep, beside the published one.")
    ] = 5,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Delete all but the newest models and the published one."""
    from mlrec.artifacts import registry
    from mlrec.workspace import Workspace

    workspace = Workspace(data_dir)
    with workspace.writing("models prune"):
        deleted = registry.prune(workspace, keep)
    if as_json:
        render.print_json({"deleted": deleted})
    else:
        render.line(f"{len(deleted)} models deleted.")
