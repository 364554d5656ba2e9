"""What a training leaves open is chosen on validation: how events decay, how much they weigh, and the second opinion.

Nothing is trained for it. One setting after another is varied, and the lists that serving would make are evaluated by
NDCG@10, for a sample of users if there are many. Test is never looked at, and neither is the holdout
(`mlrec.evaluation.holdout`).

The same figures say whether the model is of any use: it is compared with popularity, and with each of its two parts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.choice import POPULARITY, Choice
from mlrec.artifacts.metrics_file import Figure
from mlrec.evaluation.bootstrap import Bootstrap, difference, estimate
from mlrec.evaluation.estimates import Difference, Estimate
from mlrec.evaluation.jury import Jury
from mlrec.evaluation.listers import Known, Lister
from mlrec.evaluation.metrics import METRICS
from mlrec.machine import available_threads
from mlrec.model.learn import Candidates
from mlrec.model.train import Ground
from mlrec.plurals import counted
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.histories import History
from mlrec.ranking.item_item import ItemItem, Likes
from mlrec.settings import CHOSEN, MOST_ITEM_ITEM, EvaluateSettings, FoldInSettings, TrainSettings

METRIC, _K = "ndcg@10", 10
MODEL, VECTORS, ITEM_ITEM = "model", "vectors", "item-item"

_NAMES = {VECTORS: "vectors alone", ITEM_ITEM: "item-item weights alone", POPULARITY: "popularity"}

_SAID = {
    "half_life": "half-life",
    "feedback_weight": "feedback weight",
    "item_item_half_life": "item-item half-life",
    "item_item_weight": "item-item weight",
}
_VALUES: Mapping[str, tuple[float, ...]] = {
    "half_life": (3.0, 7.0, 20.0, 60.0, math.inf),
    "feedback_weight": (1.0, 2.0, 5.0, 10.0),
    "item_item_half_life": (3.0, 7.0, 20.0, 60.0, math.inf),
    "item_item_weight": (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95),
}
# Where the order of events means nothing. The search begins here or at the usual values, whichever is better.
_NO_DECAY: Mapping[str, float] = {"half_life": math.inf, "feedback_weight": 2.0, "item_item_half_life": math.inf}
# Each setting in turn moves to the next value as long as that helps. Settings depend on each other, so all of it is
# repeated. The weight takes the best of its values, because its curve is flat and often has two tops.
_ROUNDS = 3
_OF_ALL_VALUES = "item_item_weight"
_OF_ITEM_ITEM = ("item_item_half_life", "item_item_weight")
# The second opinion has to raise NDCG by this share, or the search goes on without it: docs/decisions/0017.
_LEAST_GAIN = 0.005
# Scores for each point that is tried; that many users are drawn. With more users than the second number, the figures
# hardly become more certain.
_SCORES = 12_000_000
_MOST_USERS = 3_000
_RESAMPLES = 1_000


def on_validation(ground: Ground, candidates: Candidates) -> tuple[TrainSettings, Choice | None]:
    """Choose what the settings leave open, and judge the result; see `mlrec.model.train.Chooser`.

    A model that learns from validation, or keeps the user vectors of ALS, has nothing to choose. It gets the values to
    start from.
    """
    settings = candidates.settings
    if settings.on != "train" or settings.user_vectors == "trained":
        return settings.started(), None
    bench = _Bench.of(ground, candidates)
    if not len(bench.jury.users):
        return settings.started(), None
    left = [name for name in _VALUES if name in settings.left_to_training]
    with ground.progress.task("Choosing on validation"):
        found = bench.chosen(settings.started(), left)
        return found, bench.told(found, left)


def as_chosen(
    choice: Choice | None,
    ground: Ground,  # noqa: ARG001
    candidates: Candidates,
) -> tuple[TrainSettings, Choice | None]:
    """Take what was chosen for another model of the same data. None: the values to start from."""
    settings = candidates.settings
    if choice is None:
        return settings.started(), None
    taken = {name: value for name, value in choice.values.items() if name in settings.left_to_training}
    return settings.with_values(taken).started(), choice


def sample_size(n_movies: int) -> int:
    """Return how many users at most are judged if ALS learns that many movies. If there are more, a seed draws them."""
    return min(_MOST_USERS, max(1, _SCORES // n_movies))


@dataclass(frozen=True, eq=False)
class _Remembered(ItemItem):
    """Weights that keep what they said about users who are asked about again and again."""

    likes_of_users: dict[tuple[float, bytes], Likes] = field(default_factory=dict)
    scores_of_likes: dict[tuple[int, bytes], NDArray[np.float32]] = field(default_factory=dict)

    @classmethod
    def of(cls, item_item: ItemItem | None) -> _Remembered | None:
        """Remember what some weights say."""
        if item_item is None:
            return None
        return cls(item_item.indptr, item_item.movie_idx, item_item.weight, item_item.rule)

    def likes(self, history: History, users: NDArray[np.int64], makes_older: NDArray[np.bool_]) -> Likes:
        """See `ItemItem.likes`. Kept for the next call, in which history and `makes_older` are the same."""
        key = self.rule.half_life, users.tobytes()
        if key not in self.likes_of_users:
            self.likes_of_users.setdefault(key, super().likes(history, users, makes_older))
        return self.likes_of_users[key]

    def scores(self, likes: Likes, n_users: int) -> NDArray[np.float32]:
        """See `ItemItem.scores`. Those of likes that are kept are kept as well."""
        if not any(likes is kept for kept in list(self.likes_of_users.values())):
            return super().scores(likes, n_users)
        key = id(likes), self.targets.tobytes()
        if key not in self.scores_of_likes:
            self.scores_of_likes[key] = super().scores(likes, n_users)
        return self.scores_of_likes[key]


@dataclass(frozen=True, eq=False)
class _Bench:
    """Evaluates the lists that serving would make with some settings."""

    jury: Jury
    candidates: Candidates
    fold_in: FoldIn
    by_row: NDArray[np.float32]
    tried: dict[tuple[float, ...], NDArray[np.float64]] = field(default_factory=dict)
    vectors: dict[FoldInSettings, tuple[FoldIn, NDArray[np.float32]]] = field(default_factory=dict)
    item_item: _Remembered | None = None

    @classmethod
    def of(cls, ground: Ground, candidates: Candidates) -> _Bench:
        settings, half_life = candidates.settings, candidates.settings.popularity_half_life
        known = Known(
            train=candidates.history,
            history=candidates.history,
            popularity=ground.interactions.popularity,
            share=candidates.share,
            half_life=half_life if math.isfinite(half_life) else None,
            genres=candidates.content.genres,
            is_trained=candidates.is_trained,
        )
        sample = sample_size(int(candidates.is_trained.sum()))
        judging = EvaluateSettings(users="others", sample=sample, random_seed=settings.random_seed)
        threads = settings.threads or available_threads()
        jury = Jury.of(ground.interactions, known, ground.held_out(), judging, METRICS, (_K,), threads)
        fold_in = FoldIn(candidates.movies.vectors, settings.started().fold_in, candidates.is_trained)
        by_row = np.zeros((known.n_users, candidates.movies.vectors.shape[1]), dtype=np.float32)
        return cls(jury.sampled(), candidates, fold_in, by_row, item_item=_Remembered.of(candidates.item_item))

    @property
    def names(self) -> tuple[str, ...]:
        """The settings that make a point."""
        return CHOSEN if self.candidates.item_item is not None else ("half_life", "feedback_weight")

    def chosen(self, settings: TrainSettings, left: list[str]) -> TrainSettings:
        """Vary each setting that is left open, one after another, until none of them helps any more."""
        without = settings.with_values({name: value for name, value in _NO_DECAY.items() if name in left})
        settings = self._best(settings, without)
        for _ in range(_ROUNDS):
            before = settings
            for name in left:
                if name in _OF_ITEM_ITEM and not settings.item_item_weight:
                    continue  # dropped: it makes no difference any more
                if name == _OF_ALL_VALUES:
                    others = [settings.with_values({name: value}) for value in _VALUES[name]]
                    settings = self._worth_its_time(self._best(settings, *others))
                else:
                    settings = self._moved(self._moved(settings, name, 1), name, -1)
            if settings == before:
                break
        for name in left:
            if name.endswith("half_life") and (name not in _OF_ITEM_ITEM or settings.item_item_weight):
                settings = self._without_decay(settings, name)
        return self._worth_its_time(settings) if _OF_ALL_VALUES in left else settings

    def _best(self, *points: TrainSettings) -> TrainSettings:
        """The best of some points; of equal ones, the first."""
        return max(points, key=lambda one: float(self._of(one).mean()))

    def _worth_its_time(self, settings: TrainSettings) -> TrainSettings:
        """Drop the second opinion unless it helps so much that it is worth the time that it adds to each list."""
        simpler = settings.with_values({_OF_ALL_VALUES: 0.0})
        own = self._of(settings).mean()
        return simpler if own - self._of(simpler).mean() < _LEAST_GAIN * own else settings

    def _without_decay(self, settings: TrainSettings, name: str) -> TrainSettings:
        """Drop a decay unless it helps by more than one standard error (Breiman et al. 1984, section 3.4.3)."""
        simpler = settings.with_values({name: math.inf})
        lead = self._of(settings) - self._of(simpler)
        standard_error = lead.std() / math.sqrt(len(lead))
        return simpler if lead.mean() <= standard_error else settings

    def _moved(self, settings: TrainSettings, name: str, step: int) -> TrainSettings:
        """Move one setting up or down its values as long as that helps."""
        values = _VALUES[name]
        while True:
            place = values.index(getattr(settings, name)) + step
            if not 0 <= place < len(values):
                return settings
            moved = settings.with_values({name: values[place]})
            if self._of(moved).mean() <= self._of(settings).mean():
                return settings
            settings = moved

    def told(self, settings: TrainSettings, left: list[str]) -> Choice:
        """Judge the settings that were chosen."""
        found = {MODEL: self._of(settings)}
        if self.candidates.item_item is not None:
            found[VECTORS] = self._of(settings.with_values({"item_item_weight": 0.0}))
            found[ITEM_ITEM] = self._of(settings.with_values({"item_item_weight": MOST_ITEM_ITEM}))
        found[POPULARITY] = self.jury.ndcg(self.jury.popularity(), _K)
        n_users = len(self.jury.users)
        bootstrap = Bootstrap(n_users, _RESAMPLES, self.candidates.settings.random_seed)
        drawn = {name: bootstrap.ratios(values, np.ones(n_users)) for name, values in found.items()}
        value = {name: float(values.mean()) for name, values in found.items()}
        return Choice(
            settings=_finite({name: getattr(settings, name) for name in left}),
            metric=METRIC,
            users=n_users,
            tried=tuple(
                {**_finite(dict(zip(self.names, point, strict=True))), METRIC: float(ndcg.mean())}
                for point, ndcg in self.tried.items()
            ),
            figures={name: _figure(estimate(value[name], drawn[name])) for name in found},
            differences={
                name: _figure(difference(value[MODEL] - value[name], drawn[MODEL] - drawn[name]))
                for name in found
                if name != MODEL
            },
        )

    def _of(self, settings: TrainSettings) -> NDArray[np.float64]:
        """NDCG of each user with some settings, float64 (users,)."""
        point = tuple(getattr(settings, name) for name in self.names)
        if point not in self.tried:
            self.tried[point] = self.jury.ndcg(self._lister(settings), _K)
        return self.tried[point]

    def _lister(self, settings: TrainSettings) -> Lister:
        rule, second, item_item = settings.fold_in, settings.second_opinion, self.item_item
        if rule not in self.vectors:
            fold_in = self.fold_in.with_settings(rule)
            self.vectors[rule] = fold_in, self.jury.folded_in(fold_in)[self.jury.users]
        fold_in, vectors = self.vectors[rule]
        # All listers share one array with rows for all users, because each is done with before the next one is made.
        self.by_row[self.jury.users] = vectors
        if item_item is not None and second is not None:
            item_item = item_item.with_rule(second) if second.weight else None
        return self.jury.lister(fold_in, self.by_row, item_item)


def _finite(settings: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if math.isinf(value) else value for name, value in settings.items()}


def _figure(found: Estimate | Difference) -> Figure:
    return Figure(found.value, found.low, found.high)


def summary_of(choice: Choice) -> tuple[str, ...]:
    """Say what was chosen, and how the model does on validation."""
    said = told_values(choice.values)
    others = [f"by {_NAMES[name]} {choice.figures[name].value:.4f}" for name in choice.figures if name != MODEL]
    where = f"on validation ({counted(choice.users, 'user')})"
    figures = f"NDCG@10 {{}}: {choice.figures[MODEL].value:.4f}; {', '.join(others)}."
    if not said:
        return (figures.format(where),)
    return f"Chosen {where}: {said}.", figures.format("there")


def told_values(values: Mapping[str, float]) -> str:
    """Settings with their values, in words."""
    return ", ".join(f"{_SAID[name]} {value:g}" for name, value in values.items())


def warnings_of(choice: Choice) -> tuple[str, ...]:
    """Say plainly if something simpler is as good as the model, and what to try."""
    figures, own = choice.figures, choice.figures[MODEL].value
    found = []
    if not choice.beats_popularity:
        other, difference = figures[POPULARITY].value, choice.differences[POPULARITY]
        is_worse = POPULARITY in choice.is_beaten_by
        doubt = "" if difference.low is None else f"; difference {difference.low:+.4f} to {difference.high:+.4f}"
        found.append(
            ("The model ranks worse than" if is_worse else "It is not certain that the model ranks better than")
            + f" a list of popular movies: NDCG@10 on validation is {own:.4f} against {other:.4f}"
            + f" ({counted(choice.users, 'user')}{doubt}). "
            + "More ratings help most: prepare with lower --min-user-ratings and --min-movie-ratings, or add data. "
            + "Then try 'mlrec tune'."
        )
    was_chosen = "item_item_weight" in choice.settings
    remedy = "Try 'mlrec tune'." if was_chosen else "Let the training choose: --item-item-weight auto"
    found += [
        f"The model ranks worse than its {_NAMES[name]}: NDCG@10 on validation is {own:.4f} against"
        f" {figures[name].value:.4f}. {remedy}"
        for name in (VECTORS, ITEM_ITEM)
        if name in choice.is_beaten_by
    ]
    return tuple(found)
