"""Rank movies for several people who want to watch one together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from mlrec.ids import PublicId
from mlrec.ranking.groups import group_scores
from mlrec.ranking.ranker import Scores
from mlrec.serving import arguments
from mlrec.serving.allowed import Allowed
from mlrec.serving.lists import (
    MOSTLY,
    RankedRows,
    ranked_rows,
    reasons_of,
    recommendations,
    standing_of,
    taste_of,
)
from mlrec.serving.result_list import ResultList
from mlrec.serving.results import GroupRecommendation, MemberOpinion
from mlrec.serving.user_views import UserView
from mlrec.settings import GroupRule


def ranked_for_group(
    views: Mapping[PublicId, UserView], n: int, rule: GroupRule, allowed: Allowed
) -> ResultList[GroupRecommendation]:
    """Return the n best movies for some people, with what each of them would say; fewer if fewer are left."""
    n = arguments.length(n)
    scores = {user_id: view.scores for user_id, view in views.items()}
    if len(views) == 1:
        found = ranked_rows(next(iter(views.values())), n, allowed)
    else:
        found = _ranked_rows(views, scores, n, rule, allowed)
    movies = recommendations(found, allowed, views.values())
    members = zip(*(_opinions(view, one, scores[one], found.rows) for one, view in views.items()), strict=True)
    return ResultList(map(GroupRecommendation, movies, members), GroupRecommendation, movies.emptied)


def _ranked_rows(
    views: Mapping[PublicId, UserView], scores: Mapping[PublicId, Scores], n: int, rule: GroupRule, allowed: Allowed
) -> RankedRows:
    # In the order of their ids, so that sums do not depend on who was named first.
    people = sorted(views, key=str)
    shown = group_scores(np.stack([scores[one].shown for one in people]), rule)
    # Nobody should see again what they have seen, and least of all what they dislike.
    rows = allowed.best_rows(shown.copy(), views.values(), n)
    taste = np.stack([taste_of(views[one], scores[one], rows) for one in people]).mean(axis=0)
    return RankedRows(rows, shown[rows], np.asarray(taste, dtype=np.float32))


def _opinions(view: UserView, user_id: PublicId, scores: Scores, rows: NDArray[np.int64]) -> Iterator[MemberOpinion]:
    """What one of the people would say of each movie."""
    for row, own_taste in zip(rows.tolist(), taste_of(view, scores, rows).tolist(), strict=True):
        reasons = reasons_of(view, user_id, row) if own_taste >= MOSTLY else ()
        yield MemberOpinion(user_id, float(scores.shown[row]), standing_of(scores.shown, row), reasons)
