"""mlrec tune: which training settings suit this data?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlrec.cli import render
from mlrec.cli.options import DATA_DIR_DEFAULT, AsJson, DataDir, Threads, examples
from mlrec.cli.progress import progress
from mlrec.evaluation.wording import interval, lead_cells
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
        typer.Option(metavar="N", min=1, help="Finished trials that the study shall have, earlier runs included."),
    ] = _DEFAULTS.trials,
    minutes: Annotated[
        float,
        typer.Option(
            metavar="X", help="Begin no trial after so many minutes of this run; 0: no limit.", show_default="no limit"
        ),
    ] = _DEFAULTS.minutes,
    study: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the study; its trials are kept, and gone on with.")
    ] = _DEFAULTS.study,
    sample: Annotated[
        int, typer.Option(metavar="N", min=0, help="Judge trials by N users, drawn at random; 0: by all.")
    ] = _DEFAULTS.sample,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget the trials of an earlier study of that name, and begin anew.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to write the best settings.",
            show_default="tuning/NAME.json in the data directory",
        ),
    ] = None,
    random_seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Seed of the search, the sample, and the initial factors.")
    ] = _DEFAULTS.random_seed,
    threads: Threads = _DEFAULTS.threads,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Search for training settings, and write the best to a file that 'mlrec train --settings' takes.

    Factors, regularization, alpha, iterations, dislikes, half-life and feedback weight are searched for the largest
    NDCG@10 of liked movies on validation, which each trial is judged by as 'mlrec evaluate' does it. The default
    settings are the first trial. A trial that does worse than most after as many sweeps ends early. Test is not read
    before the search is over; then the best and the default settings are judged on it, once.

    No model is written or published. An interrupt keeps the finished trials, and the same command goes on with them,
    as if nothing had been. So does a larger --trials.
    """
    from mlrec.evaluation.tuning.search import tune as run
    from mlrec.workspace import Workspace

    settings = TuneSettings(
        trials=trials, minutes=minutes, study=study, sample=sample, random_seed=random_seed, threads=threads
    )
    try:
        result = run(Workspace(data_dir), settings, fresh=fresh, out=out, progress=progress())
    except KeyboardInterrupt:
        render.warn(f"The same command{' without --fresh' if fresh else ''} goes on with the trials that are finished.")
        raise
    if as_json:
        render.print_json(result.to_json())
    else:
        show(result)


def show(result: "Tuned") -> None:
    """Render the best trials, and the verdict on the best of them."""
    from mlrec.evaluation.tuning.search import METRIC

    counts = result.counts
    render.table(
        [f"#{METRIC}", "#factors", "#λ", "#alpha", "#sweeps", "dislikes", "#half-life", "#weight"],
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
        render.line("No trial was better than the default settings, so these are the best.")
    elif result.test:
        render.line(_judgement(result.test.differences["best - default"][METRIC]))
    if result.test is None:
        render.warn("Nobody likes anything in the test part; the settings are judged on validation only.")
    if result.importance:
        shares = ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in result.importance.items())
        render.note(f"What the best tenth of the trials have in common: {shares}.")
    render.line(f"The best settings are in {result.settings_file}.")
    if not result.is_default:
        render.line(f"Next: mlrec train --settings {result.settings_file}")


def _show_verdict(verdict: "Verdict", metric: str) -> None:
    lead = verdict.differences["best - default"][metric]
    leads = {"best": lead_cells(lead)}
    render.table(
        ["settings", f"#{metric}", "#95% interval", "#best leads by", "#95% interval", "#p"],
        [
            [name, f"{figures[metric].value:.4f}", interval(figures[metric]), *leads.get(name, [])]
            for name, figures in verdict.models.items()
        ],
        title=f"{verdict.split}, liked movies, history {verdict.history}: {verdict.users:,} users",
        keys=1,
    )


def _judgement(lead: "Difference") -> str:
    """What the lead on test is worth; that on validation is the largest of many, and so says little."""
    if lead.is_above:
        return "On test, which had no part in the search, the best settings are ahead of the default ones."
    if lead.is_below:
        return "On test, which had no part in the search, the best settings are behind the default ones: keep those."
    return "The interval of the lead on test includes 0: on this data the default settings may do just as well."
