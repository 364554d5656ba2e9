"""What prepare, train, evaluate and run return: dataclasses with a short repr, data frames, and HTML for a notebook."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from mlrec.artifacts.documents import to_json
from mlrec.dataset.fetch import FetchResult
from mlrec.dataset.prepare import Prepared
from mlrec.errors import DataChangedError
from mlrec.evaluation.choosing import summary_of, told_values, warnings_of
from mlrec.evaluation.gate import Gate
from mlrec.evaluation.protocol import MODEL, Evaluation
from mlrec.evaluation.succession import Succession
from mlrec.model.train import Trained
from mlrec.settings import SPLITS, HeldOutSplit
from mlrec.tables import data_frame, html_table, id_column, load_pandas, plain
from mlrec.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

PreparedTable = Literal["events", "outside", "movies", "rejects"]


@dataclass(frozen=True, repr=False)
class PrepareResult(Prepared):
    """The result of `prepare`.

    Attributes
    ----------
    unmerged_swipes
        Number of swipes in the store that were not merged, because `with_swipes` was False.
    """

    unmerged_swipes: int = 0

    def to_frame(self, table: PreparedTable = "events") -> pd.DataFrame:
        """Return a table of the prepared folder as a pandas data frame.

        Parameters
        ----------
        table
            "events": user_id, movie_id, preference, timestamp and split, by user and time. "outside": the same for
            the events outside the core, of users with events in it. "movies": movie_id, title, year, genres, imdb_id
            and tmdb_id. "rejects": file, line, text and reason of each row that was not used.

        Raises
        ------
        DataChangedError
            If the data was prepared again since.
        MissingExtraError
            If pandas is not installed.
        """
        match table:
            case "events" | "outside":
                return self._events(table)
            case "movies":
                return self._movies()
            case "rejects":
                return self._rejects()

    def _events(self, table: PreparedTable) -> pd.DataFrame:
        from mlrec.dataset.reading import read_prepared

        pandas, data = load_pandas(), read_prepared(self._workspace)
        self._require_same(data.manifest.fingerprint)
        events = data.events.only(data.events.in_core == (table == "events"))
        return data_frame(
            {
                "user_id": id_column(events.user_id),
                "movie_id": id_column(events.movie_id),
                "preference": events.preference,
                "timestamp": events.timestamp,
                "split": pandas.Categorical.from_codes(events.split, categories=list(SPLITS)),
            }
        )

    def _movies(self) -> pd.DataFrame:
        from mlrec.artifacts.prepared import read_manifest
        from mlrec.dataset.reading import read_movies

        pandas, movies = load_pandas(), read_movies(self._workspace)
        self._require_same(read_manifest(self._workspace).fingerprint)
        whole = {"year": movies.year, "tmdb_id": movies.tmdb_id}
        return data_frame(
            # Without further columns in the file, there are no details.
            {name: column for name, column in vars(movies).items() if name != "details" or column}
            | {"movie_id": id_column(movies.movie_id)}
            | {name: pandas.array(column, dtype="Int64") for name, column in whole.items()}
        )

    def _rejects(self) -> pd.DataFrame:
        with self._workspace.prepared.rejects.open(encoding="utf-8", newline="") as file:
            head, *rows = csv.reader(file)
        columns: dict[str, Any] = {name: [row[at] for row in rows] for at, name in enumerate(head)}
        return data_frame(columns | {"line": [int(line) for line in columns["line"]]})

    @property
    def _workspace(self) -> Workspace:
        return Workspace(self.folder.parent)

    def _require_same(self, fingerprint: str) -> None:
        if fingerprint != self.manifest.fingerprint:
            raise DataChangedError(f"The data in {self.folder} was prepared again since.", "Use the newer result.")

    def __repr__(self) -> str:
        """Return the folder and the size of what is in it."""
        splits = ", ".join(f"{name}={count:,}" for name, count in self.manifest.splits.items())
        return f"{type(self).__name__}({str(self.folder)!r}, {splits}, rejects={self.manifest.rejects.rows:,})"

    def _repr_html_(self) -> str:
        """Return what is left after each step, and the splits."""
        steps = html_table(
            ["step", "ratings", "users", "movies"],
            [(step.name, step.ratings, step.users, step.movies) for step in self.manifest.steps],
            title=f"Prepared in {self.folder}",
        )
        splits = html_table(["split", "events"], self.manifest.splits.items())
        said = list(self.warnings)
        if self.manifest.rejects.rows:
            said.append(f"{self.manifest.rejects.rows:,} rows could not be used. See to_frame('rejects').")
        return steps + splits + "".join(f"<p>{plain(one)}</p>" for one in said)


@dataclass(frozen=True, repr=False)
class TrainResult(Trained):
    """The result of `train`.

    Attributes
    ----------
    gate
        How the model compares with the published one. None unless `publish` was "if-better".
    compared_with_published
        What is known of that if `publish` was True: figures of both trainings, or that nobody has compared the models.
        None if no model was published before.
    """

    gate: Gate | None = None
    compared_with_published: Succession | None = None

    @property
    def summary(self) -> tuple[str, ...]:
        """What the fit began with, if with a model; what was chosen on validation, and how the new model does there."""
        start = () if self.warm_start_from is None else (f"It began with the movie factors of {self.warm_start_from}.",)
        return start + self._chosen

    @property
    def _chosen(self) -> tuple[str, ...]:
        if self.choice is not None and self.settings.on == "train":
            return summary_of(self.choice)
        if not self.left_to_training:
            return ()
        used = told_values({name: getattr(self.settings, name) for name in self.left_to_training})
        if self.choice is not None:
            return (f"As chosen for the model that was evaluated: {used}.",)
        return (f"Nothing could be chosen on validation. The usual values are used: {used}.",)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is as good as the model although it is simpler, and what to try."""
        return () if self.choice is None or self.settings.on == "all" else warnings_of(self.choice)

    def to_json(self) -> dict[str, Any]:
        """Return what `mlrec train --json` prints."""
        absent = [name for name in ("gate", "compared_with_published") if getattr(self, name) is None]
        document = to_json(self, without=("folder", *absent))
        return document | {"warnings": list(self.warnings)}

    def __repr__(self) -> str:
        """Return the model's id and whether it is published."""
        return (
            f"{type(self).__name__}({self.model_id!r}, on={self.settings.on!r}, published={self.published},"
            f" seconds={sum(self.seconds.values()):.1f})"
        )

    def _repr_html_(self) -> str:
        """Return the model's id, what became of it, and the settings."""
        state = "Published: serving uses it." if self.published else "Not published."
        said = [f"{state} {self.gate.reason}" if self.gate else state, f"{sum(self.seconds.values()):.1f} s"]
        said += [*self.summary, *self.warnings]
        said += [self.compared_with_published.summary] if self.compared_with_published else []
        settings = html_table(["setting", "value"], [(name, str(value)) for name, value in vars(self.settings).items()])
        return (
            f"<p><strong>Trained {plain(self.model_id)}</strong><br>{plain(' '.join(said))}</p>"
            f"<details><summary>Settings</summary>{settings}</details>"
        )


@dataclass(frozen=True, repr=False)
class EvaluateResult(Evaluation):
    """The result of `evaluate`: an `Evaluation` that a notebook can show."""

    def to_frame(self) -> pd.DataFrame:
        """Return one row per model and metric: split, model, metric, value, and the lead of the evaluated model.

        Columns `low` and `high` are the 95% confidence interval. `lead` is how far the evaluated model is ahead of the
        model in the row, with `lead_low`, `lead_high` and `lead_p`. What was not estimated is missing.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        rows = []
        for name, figures in self.models.items():
            for metric, own in figures.items():
                lead = self.differences.get(f"{MODEL} - {name}", {}).get(metric)
                rows.append(
                    {
                        "split": self.split,
                        "model": name,
                        "metric": metric,
                        "value": own.value,
                        "low": own.low,
                        "high": own.high,
                        "lead": lead.value if lead else None,
                        "lead_low": lead.low if lead else None,
                        "lead_high": lead.high if lead else None,
                        "lead_p": lead.p if lead else None,
                        "lead_p_holm": lead.p_holm if lead else None,
                    }
                )
        frame: pd.DataFrame = load_pandas().DataFrame(rows)
        figures_of = ["value", "low", "high", "lead", "lead_low", "lead_high", "lead_p", "lead_p_holm"]
        return frame.astype(dict.fromkeys(figures_of, float))

    def __repr__(self) -> str:
        """Return what was evaluated, and the most important metric."""
        metric = f"ndcg@{self.ks[0]}"
        return (
            f"{type(self).__name__}(model_id={self.model_id!r}, split={self.split!r}, protocol={self.protocol!r},"
            f" users={self.users:,}, {metric}={self.models[MODEL][metric].value:.4f})"
        )

    def _repr_html_(self) -> str:
        """Return the report's verdict, charts and tables of this evaluation."""
        from mlrec.evaluation.report.notebook import evaluation_html

        return evaluation_html(self)


@dataclass(frozen=True)
class NotEvaluated:
    """A held-out split on which the model could not be evaluated. In small data, a split may be empty.

    Attributes
    ----------
    split
        The held-out split.
    reason
        Why, in one sentence.
    """

    split: HeldOutSplit
    reason: str


Step = FetchResult | PrepareResult | TrainResult | EvaluateResult | NotEvaluated
"""The result of one step of `run`."""


@dataclass(frozen=True, repr=False)
class RunResult:
    """The result of `run`.

    Attributes
    ----------
    fetched
        The data set that was fetched. None if no edition was given.
    prepared
        The prepared folder.
    trained
        The model that was trained on the train split and evaluated.
    evaluations
        Evaluations of that model on validation and test. An empty split is omitted.
    final
        The model that was trained on all data. None if `final` was False or the gate was not passed.
    """

    fetched: FetchResult | None
    prepared: PrepareResult
    trained: TrainResult
    evaluations: tuple[EvaluateResult, ...]
    final: TrainResult | None

    @property
    def gate(self) -> Gate | None:
        """How the evaluated model compares with the published one. None unless `publish` was "if-better"."""
        return self.trained.gate

    def to_json(self) -> dict[str, Any]:
        """Return what `mlrec run --json` prints."""
        document: dict[str, Any] = {} if self.fetched is None else {"fetch": to_json(self.fetched)}
        document["prepare"] = self.prepared.to_json()
        if self.gate is not None:
            document["gate"] = self.gate.to_json()
        document["train"] = replace(self.trained, gate=None).to_json()
        document["evaluate"] = {evaluation.split: evaluation.to_json() for evaluation in self.evaluations}
        if self.final is not None:
            document["final"] = self.final.to_json()
        return document

    def to_frame(self) -> pd.DataFrame:
        """Return the metrics of all evaluations, as `EvaluateResult.to_frame` does; no rows if there are none."""
        pandas, frames = load_pandas(), [evaluation.to_frame() for evaluation in self.evaluations]
        whole: pd.DataFrame = pandas.concat(frames, ignore_index=True) if frames else pandas.DataFrame()
        return whole

    def __repr__(self) -> str:
        """Return the parts in short."""
        return f"{type(self).__name__}({', '.join(map(repr, self._parts))})"

    def _repr_html_(self) -> str:
        """Return the HTML of all parts."""
        return "".join(part._repr_html_() for part in self._parts)

    @property
    def _parts(self) -> list[PrepareResult | TrainResult | EvaluateResult]:
        return [self.prepared, self.trained, *self.evaluations, *([self.final] if self.final else [])]
