"""From a held-out part to figures of each user: who is judged, what is known of them, and the lists that models make.

`protocol`, `comparing` and `tuning` judge through this, so that they judge alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.model_folder import Model
from mlrec.dataset.reading import HeldOut
from mlrec.evaluation import scorers
from mlrec.evaluation.judging import HeldOutMovies, Judge, Judged
from mlrec.evaluation.metrics import Metric
from mlrec.evaluation.scorers import Known, Scorer
from mlrec.evaluation.vectors import folded_in, user_vectors
from mlrec.model.matrix import Interactions
from mlrec.progress import SILENT, Progress
from mlrec.settings import EvaluateSettings, FoldInSettings, ServeSettings


@dataclass(frozen=True)
class Jury:
    """A held-out part, ready to judge one model after the other on the same users.

    Attributes
    ----------
    judge
        What is to be found, what is known, the metrics, the list lengths and the threads.
    settings
        Part, history and relevance.
    progress
        Told of the users that are done.
    """

    judge: Judge
    settings: EvaluateSettings
    progress: Progress

    @classmethod
    def of(
        cls,
        rows: Model | Interactions,
        known: Known,
        held_out: HeldOut,
        settings: EvaluateSettings,
        metrics: Mapping[str, Metric],
        ks: tuple[int, ...],
        threads: int,
        progress: Progress = SILENT,
    ) -> Self:
        """Judge all users with a relevant movie in a part; a model, or what one learns from, tells the rows."""
        movies = HeldOutMovies.of(rows, held_out, settings.relevance)
        return cls(Judge(movies, known, metrics, ks, threads), settings, progress)

    def sampled(self) -> Jury:
        """Judge those that the settings draw; all of them if the settings do not."""
        drawn = self.judge.held_out.sampled(self.settings.sample, self.settings.random_seed)
        return replace(self, judge=replace(self.judge, held_out=drawn))

    @property
    def known(self) -> Known:
        """What is known."""
        return self.judge.known

    @property
    def users(self) -> NDArray[np.int64]:
        """Rows of the judged users."""
        return self.judge.held_out.users

    def user_vectors(self, model: Model) -> NDArray[np.float32]:
        """Vectors by user row: those that serving would use."""
        return user_vectors(model, self.known.history, self.users, self.settings, self.judge.threads, self.progress)

    def folded_in(self, movie_factors: NDArray[np.float32], rule: FoldInSettings) -> NDArray[np.float32]:
        """Vectors by user row, folded in from what is known."""
        return folded_in(movie_factors, rule, self.known.history, self.users, self.judge.threads, self.progress)

    def scorer(self, movie_factors: NDArray[np.float32], rule: FoldInSettings, vectors: NDArray[np.float32]) -> Scorer:
        """Rank as serving does by default; see `scorers.factors`."""
        return scorers.factors(self.known, movie_factors, rule, vectors, ServeSettings())

    def judged(self, name: str, scorer: Scorer) -> Judged:
        """Judge one model."""
        with self.progress.task(f"Evaluating {name}", len(self.users), "users") as task:
            return self.judge.judge(scorer, task.advance)
