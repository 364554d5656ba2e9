"""mlrec tune: search for training settings that suit the data."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlrec.cli import render
from mlrec.cli.options import DATA_DIR_DEFAULT, AsJson, DataDir, Threads, examples
from mlrec.cli.progress import progress
from mlrec.evaluation.wording import interval, lead_cells
from mlrec.plurals import counted
from mlrec.settings import TuneSettings

if TYPE_CHECKING:
    from mlrec.evaluation.estimates import Difference
    from mlrec.evaluation.tuning.search import Tuned, Verdict

EXAMPLES = examples(
    "mlrec tune",
    "mlrec tune --trials 300 --minutes 60",
    "mlrec tune --study few-factors --random-seed 7",
    "mlrec tune --fresh",
    "mlrec train --settings data/tuning/main.json",
)
_DEFAULTS = TuneSettings()


def tune(
    trials: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Total number of completed trials, including earlier runs."),
    ] = _DEFAULTS.trials,
    minutes: Annotated[
        float,
        typer.Option(
            metavar="X",
            help="Start no new trial after this many minutes of this run. 0: no limit.",
            show_default="no limit",
        ),
    ] = _DEFAULTS.minutes,
    study: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the study. Its trials are kept, and later runs continue it.")
    ] = _DEFAULTS.study,
    sample: Annotated[
        int, typer.Option(metavar="N", min=0, help="Evaluate trials on N random users. 0: all users.")
    ] = _DEFAULTS.sample,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Discard the trials of an earlier study of this name, and start again.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File for the best settings.",
            show_default="tuning/NAME.json in the data directory",
        ),
    ] = None,
    random_seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Seed for the search, the sample and the initial factors.")
    ] = _DEFAULTS.random_seed,
    threads: Threads = _DEFAULTS.threads,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Search for better training settings, and write the best to a file for 'mlrec train --settings'.

    The search varies factors, regularization, alpha, iterations, dislikes, half-life, feedback weight, and the weight
    and half-life of the item-item score. It maximizes NDCG@10 of liked movies on validation, measured as 'mlrec
    evaluate' does. The first trial has the default settings. A trial ends early if it does worse than most others after
    the same number of sweeps. The search does not read the test data. After the search, the best and the default
    settings are evaluated on it once.

    No model is written or published. An interrupt keeps the completed trials. To continue as if nothing had happened,
    run the same command again. To extend the search, run it with a larger --trials.
    """
    from mlrec.evaluation.tuning.search import tune as run
    from mlrec.workspace import Workspace

    settings = TuneSettings(
        trials=trials, minutes=minutes, study=study, sample=sample, random_seed=random_seed, threads=threads
    )
    try:
        result = run(Workspace(data_dir), settings, fresh=fresh, out=out, progress=progress())
    except KeyboardInterrupt:
        without = " without --fresh" if fresh else ""
        render.warn(f"Completed trials are kept. To continue with them, run the same command{without} again.")
        raise
    if as_json:
        render.print_json(result.to_json())
    else:
        show(result)


def show(result: "Tuned") -> None:
    """Render the best trials, and how the best settings compare with the default ones."""
    from mlrec.evaluation.tuning.search import METRIC

    counts = result.counts
    render.table(
        [f"#{METRIC}", "#factors", "#λ", "#alpha", "#sweeps", "dislikes", "#half-life", "#weight", "#item-item"],
        [
            (
                f"{trial.value:.4f}",
                (own := trial.settings).factors,
                f"{own.regularization:.3g}",
                f"{own.alpha:g}",
                own.iterations,
                f"{own.dislikes}/{own.fold_in_dislikes}",
                f"{own.half_life:g}",
                f"{own.feedback_weight:g}",
                f"{own.item_item_weight:g}/{own.item_item_half_life:g}" if own.item_item == "on" else "off",
            )
            for trial in result.top
        ],
        title=f"Study {result.study}: the best of {counts.finished:,} trials on validation"
        f" ({counts.pruned:,} of them ended early)",
        bold=[0],
        keys=1,
    )
    for verdict in filter(None, (result.val, result.test)):
        _show_verdict(verdict, METRIC)
    if result.is_default:
        render.line("No trial was better than the default settings, so those remain the best.")
    elif result.test:
        render.line(_judgement(result.test.differences["best - default"][METRIC]))
    if result.test is None:
        render.warn("The test data has no liked movies, so the settings are evaluated on validation only.")
    if result.importance:
        shares = ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in result.importance.items())
        render.note(f"Importance of each setting for reaching the best tenth of the trials: {shares}.")
    render.line(f"The best settings are in {result.settings_file}.")
    if not result.is_default:
        render.line(f"Next: mlrec train --settings {result.settings_file}")


def _show_verdict(verdict: "Verdict", metric: str) -> None:
    lead = verdict.differences["best - default"][metric]
    leads = {"best": lead_cells(lead)}
    render.table(
        ["settings", f"#{metric}", "#95% CI", "#best leads by", "#95% CI", "#p"],
        [
            [name, f"{figures[metric].value:.4f}", interval(figures[metric]), *leads.get(name, [])]
            for name, figures in verdict.models.items()
        ],
        title=f"{verdict.split}, liked movies, history {verdict.history}: {counted(verdict.users, 'user')}",
        keys=1,
    )


def _judgement(lead: "Difference") -> str:
    """Say what the lead on test means. The lead on validation is the largest of many, so it says little."""
    if lead.is_above:
        return "On test, which the search did not see, the best settings are better than the default ones."
    if lead.is_below:
        return "On test, which the search did not see, the best settings are worse than the default ones. Keep those."
    return "On test, the 95% CI of the lead includes 0. On this data, the default settings may be just as good."
