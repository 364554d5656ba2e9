"""From a held-out split to figures per user: who is evaluated, what is known of them, and how models rank for them.

`protocol`, `comparing` and `tuning` all evaluate through this module, so that their figures are comparable.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.model_folder import Model
from mlrec.dataset.reading import HeldOut
from mlrec.evaluation import listers
from mlrec.evaluation.holdout import is_held_back
from mlrec.evaluation.judging import HeldOutMovies, Judge, Judged
from mlrec.evaluation.listers import Known, Lister
from mlrec.evaluation.metrics import Metric
from mlrec.evaluation.vectors import folded_in, user_vectors
from mlrec.model.matrix import Interactions
from mlrec.progress import SILENT, Progress
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.item_item import ItemItem
from mlrec.settings import EvaluateSettings, RelevanceWithin, ServeSettings


@dataclass(frozen=True)
class Jury:
    """A held-out split, ready to evaluate one model after the other on the same users.

    Attributes
    ----------
    judge
        Relevant movies, known events, metrics, cutoffs and threads.
    settings
        Split, history and relevance.
    progress
        Is told how many users are done.
    within
        Whether movies outside the core are listed and relevant.
    """

    judge: Judge
    settings: EvaluateSettings
    progress: Progress
    within: RelevanceWithin

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
        """Evaluate all users with a relevant held-out movie. `rows` defines the rows of users and movies."""
        within: RelevanceWithin = "core" if held_out.manifest.outside_core is None else settings.relevance_within
        if within == "core":
            held_out = held_out.only(held_out.in_core)
        with ThreadPoolExecutor(1) as pool:
            # Sums that all moments share are derived meanwhile.
            preparing = None if known.half_life is None else pool.submit(lambda: known.by_date.popularity)
            pauses_mean_something = held_out.manifest.reading.has_times and settings.protocol != "held-out-users"
            last_times = known.last_times if pauses_mean_something else None
            movies = HeldOutMovies.of(rows, held_out, settings.relevance, last_times)
            if settings.users != "all":
                in_holdout = is_held_back(rows.user_ids[movies.users])
                movies = movies.only(np.flatnonzero(in_holdout == (settings.users == "holdout")))
            if preparing is not None:
                preparing.result()
        return cls(Judge(movies, known, metrics, ks, threads), settings, progress, within)

    def sampled(self) -> Jury:
        """Evaluate only the sample of users that the settings ask for, or all users if they ask for none."""
        drawn = self.judge.held_out.sampled(self.settings.sample, self.settings.random_seed)
        return replace(self, judge=replace(self.judge, held_out=drawn))

    @property
    def known(self) -> Known:
        """What models may know."""
        return self.judge.known

    @property
    def users(self) -> NDArray[np.int64]:
        """Rows of the evaluated users, int64 (users,)."""
        return self.judge.held_out.users

    def user_vectors(self, model: Model) -> NDArray[np.float32]:
        """Return the vectors that serving would use, by user row."""
        return user_vectors(model, self.known.history, self.users, self.settings, self.judge.threads, self.progress)

    def folded_in(self, fold_in: FoldIn, known: Known | None = None) -> NDArray[np.float32]:
        """Return vectors folded in from the known history, by user row."""
        history = (known or self.known).history
        return folded_in(fold_in, history, self.users, self.judge.threads, self.progress)

    def popularity(self) -> Lister:
        """Return a lister that ranks by likes in train; see `listers.popularity`."""
        return listers.popularity(self.known, self.listed(self.known))

    def recent(self, half_life: float) -> Lister:
        """Return a lister that ranks by popularity at the moment of each list; see `listers.recent`."""
        return listers.recent(self.known, self._moments(self.known), half_life, self.listed(self.known))

    def lister(
        self,
        fold_in: FoldIn,
        vectors: NDArray[np.float32],
        item_item: ItemItem | None,
        known: Known | None = None,
    ) -> Lister:
        """Return a lister that ranks as serving does by default; see `listers.factors`."""
        known = known or self.known
        listed = self.listed(known)
        return listers.factors(known, fold_in, vectors, ServeSettings(), self._moments(known), listed, item_item)

    def _moments(self, known: Known) -> NDArray[np.int64]:
        """The moment of each user's list, by user row, (users,)."""
        moments = np.zeros(known.n_users, dtype=np.int64)
        moments[self.users] = self.judge.held_out.moments
        return moments

    def listed(self, known: Known) -> NDArray[np.bool_] | None:
        """Return which movies may be listed, bool (movies,); None: all."""
        return known.is_trained if self.within == "core" else None

    def ndcg(self, lister: Lister, k: int) -> NDArray[np.float64]:
        """Return NDCG@k of each user's list, float64 (users,). Nothing else is computed."""
        return self.judge.ndcg(lister, k)

    def judged(self, name: str, lister: Lister) -> Judged:
        """Evaluate one model."""
        with self.progress.task(f"Evaluating {name}", len(self.users), "users") as task:
            return self.judge.judge(lister, task.advance)
