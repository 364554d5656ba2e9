"""How well a model knows a person: their own history in order, each like predicted before it is learned."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts import model_folder, registry
from mlrec.artifacts.documents import to_json
from mlrec.artifacts.model_folder import Model
from mlrec.dataset.events import Events
from mlrec.errors import EmptyResultError, ForgottenUserError, as_argument, in_shell, unfit
from mlrec.evaluation.bootstrap import Bootstrap, difference
from mlrec.evaluation.estimates import Difference, Estimate
from mlrec.evaluation.replay.arms import RECENT_DAYS, Arm, ReplayModel, served_arm, unchanging
from mlrec.evaluation.replay.trials import predict
from mlrec.evaluation.wording import span_name
from mlrec.ids import IdArray, PublicId
from mlrec.plurals import counted
from mlrec.progress import SILENT, Progress
from mlrec.ranking.popularity import recent_share
from mlrec.ranking.scores import popularity_scores
from mlrec.serving import arguments
from mlrec.serving.served_model import ServedModel
from mlrec.serving.stores import open_store
from mlrec.serving.user_views import UserView, UserViews
from mlrec.settings import DEFAULT_TOP_N, ReplaySettings, ServeSettings
from mlrec.workspace import Workspace, as_path

PERSONAL, RECENT, POPULARITY = "mlrec", "recent", "popularity"
"""The rules that are compared: the lists that serving would make, what was popular lately, and what is popular."""

# The parts of the curve: likes with at least this many opinions before them, up to the next number.
_OPINIONS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500)
# The 97.5% quantile of the normal distribution.
_Z = 1.959964


@dataclass(frozen=True)
class OwnPart:
    """A part of the curve: likes with a certain number of opinions before them.

    Attributes
    ----------
    opinions
        The smallest number of earlier opinions.
    below
        The largest number plus 1; None if there is no limit.
    likes
        Number of likes.
    hit_rate
        Rule → hit rate, with its interval.
    """

    opinions: int
    below: int | None
    likes: int
    hit_rate: dict[str, Estimate]

    @property
    def span(self) -> str:
        """The number of earlier opinions in words: "20 to 49"."""
        return span_name(self.opinions, self.below)


@dataclass(frozen=True)
class OwnReplay:
    """The result of `replay_user`.

    Attributes
    ----------
    user_id
        The person.
    model_id
        The model that made the lists.
    k
        A like among the first k of a list is a hit.
    opinions
        Number of opinions in the person's history.
    likes
        Number of likes that were predicted.
    learned_likes
        Number of likes that were not, because the model has already learned from them.
    unknown_likes
        How many of the predicted likes are of movies that the model does not know. They are misses for every rule.
    hit_rate
        Rule ("mlrec", "recent", "popularity") → hit rate, with its 95% interval over the likes (Wilson 1927).
    leads
        "recent" and "popularity" → by how much the personal lists lead, with the interval of a paired bootstrap over
        the likes.
    curve
        Hit rates by number of earlier opinions.
    summary
        What it says, in a sentence.
    """

    user_id: PublicId
    model_id: str
    k: int
    opinions: int
    likes: int
    learned_likes: int
    unknown_likes: int
    hit_rate: dict[str, Estimate]
    leads: dict[str, Difference]
    curve: list[OwnPart]
    summary: str

    def to_json(self) -> dict[str, Any]:
        """Return what `mlrec users replay --json` prints."""
        return to_json(self)


def replay_user(
    data_dir: str | PathLike[str] | Workspace,
    user_id: PublicId,
    *,
    k: int = DEFAULT_TOP_N,
    store: str | PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> OwnReplay:
    """Replay a person's own history, as `mlrec users replay` does.

    Before each like, the movies that the person has not seen by then are ranked three times: as serving would from the
    earlier opinions, by what was popular lately, and by popularity. Then the like is learned. Likes that the published
    model was trained on are not predicted, because it knows them.

    Parameters
    ----------
    data_dir
        The data directory, with a published model.
    user_id
        The person.
    k
        A like among the first k of a list is a hit.
    store
        The swipe store, as `Recommender.open` takes it. Defaults to `users.db` in the data directory.
    progress
        Is told when the replay is done.

    Raises
    ------
    EmptyResultError
        If the person has no like that the model has not learned from.
    ForgottenUserError
        If the user is on the blocklist.
    ModelMissingError
        If no model is published.
    """
    if k < 1:
        raise unfit("k", "1 or more", k)
    workspace = data_dir if isinstance(data_dir, Workspace) else Workspace(as_path("data_dir", data_dir))
    model = model_folder.open_model(registry.resolve(workspace))
    user_id = arguments.user_id(user_id, model.user_id_kind)
    served = ServedModel(model, ServeSettings())
    with closing(open_store(None if store is None else str(store), workspace)) as opened:
        view = UserViews(opened, ServeSettings()).get(served, user_id)
    if view.head.forgotten:
        raise ForgottenUserError(user_id)
    events, is_new = _events_of(view, served, user_id)
    likes, is_opinion = events.preference > 0, events.preference != 0
    if not (likes & is_new).any():
        already = " that the model has not learned from" if likes.any() else ""
        raise EmptyResultError(
            f"User {in_shell(user_id)} has no like{already}, so there is nothing to predict.",
            f"Swipe first: mlrec swipe --user {as_argument(user_id)}. Or import films that were rated elsewhere:"
            f" mlrec users import FILE --user {as_argument(user_id)}",
        )
    replayed = ReplayModel(
        served.movie_ids, model.is_trained, model.catalogue.content, model.history, served.ranker,
        served.average_vector, np.asarray(model.popularity),
    )  # fmt: skip
    trials = predict(events, replayed, _arms(served, model), k, threads=1, progress=progress)
    chosen = is_new[likes]
    trials = trials.only(chosen)
    n_before = (np.cumsum(is_opinion) - is_opinion)[likes][chosen]
    hits = trials.hits(k)
    leads = _leads(hits)
    hit_rate = {rule: _wilson(hit) for rule, hit in hits.items()}
    return OwnReplay(
        user_id=user_id,
        model_id=model.model_id,
        k=k,
        opinions=int(is_opinion.sum()),
        likes=len(chosen[chosen]),
        learned_likes=int((~chosen).sum()),
        unknown_likes=int((~trials.is_known).sum()),
        hit_rate=hit_rate,
        leads=leads,
        curve=_curve(hits, n_before),
        summary=_summary(hits, leads, k),
    )


def _events_of(view: UserView, served: ServedModel, user_id: PublicId) -> tuple[Events, NDArray[np.bool_]]:
    """A person's opinions and skips in order of time, and which of them the model has not learned from."""
    history, log, known = view.history, view.log, served.known_history(user_id)
    in_effect = np.isin(log.event_id, history.in_effect)
    learned = known.learned & (known.movie_idx >= 0)
    of_model = zip(served.movie_ids[known.movie_idx[learned]].tolist(), known.timestamp[learned].tolist(), strict=True)
    moment = dict(of_model) | dict(zip(log.movie_id[in_effect].tolist(), log.at[in_effect].tolist(), strict=True))
    skipped = in_effect & (log.preference == 0)
    width = np.promote_types(history.movie_id.dtype, log.movie_id.dtype)
    movie_id: IdArray = np.concatenate([history.movie_id.astype(width), log.movie_id[skipped].astype(width)])
    preference = np.concatenate([history.preference, np.zeros(int(skipped.sum()), dtype=np.int8)])
    at = np.array([*map(moment.__getitem__, history.movie_id.tolist()), *log.at[skipped].tolist()], dtype=np.int64)
    is_new = np.concatenate([history.is_new, np.ones(int(skipped.sum()), dtype=bool)])
    # Stable: opinions of the same time are in the order in which they make the vector.
    order = np.argsort(at, kind="stable")
    nobody = np.zeros(len(order), dtype=np.int64)
    events = Events.of(nobody, movie_id[order], preference[order], at[order], np.zeros(len(order), dtype=np.int8))
    return events, is_new[order]


def _arms(served: ServedModel, model: Model) -> dict[str, Arm]:
    return {
        PERSONAL: _of_opinions(served_arm(served.ranker)),
        RECENT: unchanging(recent_share(model.history, len(model.popularity), RECENT_DAYS)),
        POPULARITY: unchanging(popularity_scores(np.asarray(model.popularity))),
    }


def _of_opinions(arm: Arm) -> Arm:
    """The arm without skips, which are no opinions; they only mark what has been seen."""

    def scores(
        movie_idx: NDArray[np.int32], preference: NDArray[np.int8], positions: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        is_opinion = preference != 0
        before = np.concatenate([[0], np.cumsum(is_opinion)])
        return arm(movie_idx[is_opinion], preference[is_opinion], before[positions])

    return scores


def _wilson(hits: NDArray[np.bool_]) -> Estimate:
    """A share with its score interval (Wilson 1927), which holds for small numbers and shares near 0."""
    n, share = len(hits), float(hits.mean())
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
    return Estimate(share, max(0.0, middle - half), min(1.0, middle + half))


def _leads(hits: dict[str, NDArray[np.bool_]]) -> dict[str, Difference]:
    settings = ReplaySettings()
    own = hits[PERSONAL].astype(np.float64)
    drawn = Bootstrap(len(own), settings.resamples, settings.random_seed)
    ones = np.ones(len(own))
    return {
        rule: difference(float((own - hits[rule]).mean()), drawn.ratios(own - hits[rule], ones))
        for rule in (RECENT, POPULARITY)
    }


def _curve(hits: dict[str, NDArray[np.bool_]], n_before: NDArray[np.int64]) -> list[OwnPart]:
    parts = []
    for first, below in zip(_OPINIONS, (*_OPINIONS[1:], None), strict=True):
        chosen = (n_before >= first) & (n_before < (np.inf if below is None else below))
        if chosen.any():
            rates = {rule: _wilson(hit[chosen]) for rule, hit in hits.items()}
            parts.append(OwnPart(first, below, int(chosen.sum()), rates))
    return parts


_BASELINES = {RECENT: "what was popular lately", POPULARITY: "popularity"}


def _summary(hits: dict[str, NDArray[np.bool_]], leads: dict[str, Difference], k: int) -> str:
    """Say in one sentence which rule predicts the person better: the lists, or the better baseline."""
    counts = {rule: int(hit.sum()) for rule, hit in hits.items()}
    rival = max(_BASELINES, key=counts.__getitem__)
    lead, n = leads[rival], len(hits[PERSONAL])
    of = f"{counts[PERSONAL]:,} of {counted(n, 'like')} were among the first {k} before you gave them"
    there = f"with {_BASELINES[rival]}, {counts[rival]:,}"
    if lead.is_above:
        return f"mlrec predicts your likes better than popularity: {of}; {there}."
    if lead.is_below:
        return f"Popularity predicts your likes better than mlrec: {of}; {there}."
    return f"It is not certain yet whether mlrec predicts your likes better than popularity: {of}; {there}."
