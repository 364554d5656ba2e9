"""How well a model knows a person: predictions that use nothing of later, and a sentence that is plain either way."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mlrec import Recommender
from mlrec.artifacts import model_folder, registry
from mlrec.errors import EmptyResultError, ForgottenUserError
from mlrec.own_films import own_replay
from mlrec.own_films.own_replay import replay_user
from tests.command_line import in_this_process
from tests.exports import films_of, letterboxd

ME = 900_001


def test_each_like_is_predicted_by_the_list_of_that_moment(few_copy):
    """Swipe by swipe, the list that the recommender serves is asked whether it has the next like."""
    films = films_of(few_copy, 400)
    draw = np.random.default_rng(5)
    hits, popular_hits, likes = [], [], 0
    model = model_folder.open_model(registry.resolve(few_copy))
    by_likes = [int(model.movie_ids[row]) for row in np.argsort(-np.asarray(model.popularity), kind="stable")]
    seen: list[int] = []
    with Recommender.open(few_copy.root) as rec:
        for number in draw.choice(150, 60, replace=False).tolist():
            film, preference = films[number], int(draw.choice([-2, -1, 0, 1, 2, 2, 2]))
            if preference > 0:
                likes += 1
                hits.append(film.movie_id in [pick.movie_id for pick in rec.get_top_n(ME, 10)])
                popular_hits.append(film.movie_id in [one for one in by_likes if one not in seen][:10])
            rec.update_user(ME, film.movie_id, preference, at=1_600_000_000 + len(seen))
            seen.append(film.movie_id)
    found = replay_user(few_copy, ME)
    assert (found.likes, found.opinions) == (likes, 60 - sum(e == 0 for e in _preferences(few_copy)))
    assert found.hit_rate["mlrec"].value == pytest.approx(np.mean(hits))
    assert found.hit_rate["popularity"].value == pytest.approx(np.mean(popular_hits))
    assert found.leads["popularity"].value == pytest.approx(np.mean(hits) - np.mean(popular_hits))
    assert sum(part.likes for part in found.curve) == likes
    for estimate in found.hit_rate.values():
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low <= estimate.value <= estimate.high


def _preferences(workspace) -> list[int]:
    with Recommender.open(workspace.root) as rec:
        return [event.preference for event in rec.history(ME)]


def test_later_swipes_change_no_earlier_prediction(few_copy):
    films = films_of(few_copy, 60)
    with Recommender.open(few_copy.root) as rec:
        for number, film in enumerate(films[:20]):
            rec.update_user(ME, film.movie_id, "like" if number % 3 else "dislike", at=1_600_000_000 + number)
        before = replay_user(few_copy, ME)
        for number, film in enumerate(films[20:40], 20):
            rec.update_user(ME, film.movie_id, "superlike", at=1_600_000_000 + number)
    after = replay_user(few_copy, ME)
    assert after.likes == before.likes + 20
    assert after.curve[: len(before.curve) - 1] == before.curve[:-1]


def test_what_the_model_has_learned_is_not_predicted(few_copy):
    with Recommender.open(few_copy.root) as rec:
        user = rec.users(1).users[0].user_id
    with pytest.raises(EmptyResultError, match="has no like that the model has not learned from"):
        replay_user(few_copy, user)
    with Recommender.open(few_copy.root) as rec:
        rec.update_user(user, rec.get_top_n(user, 1)[0].movie_id, "like")
    found = replay_user(few_copy, user)
    assert (found.likes, found.hit_rate["mlrec"].value) == (1, 1.0)
    assert found.learned_likes > 5


def test_nobody_and_nothing(few_copy):
    with pytest.raises(EmptyResultError, match="User 900001 has no like, so there is nothing to predict"):
        replay_user(few_copy, ME)
    with Recommender.open(few_copy.root) as rec:
        rec.forget_user(ME)
    with pytest.raises(ForgottenUserError):
        replay_user(few_copy, ME)


@pytest.mark.parametrize(
    ("own", "popular", "expected"),
    [
        (60, 20, "mlrec predicts your likes better than popularity: 60 of 100 likes were among the first 10 before you"
                 " gave them; with popularity, 20."),
        (20, 60, "Popularity predicts your likes better than mlrec: 20 of 100 likes were among the first 10 before you"
                 " gave them; with popularity, 60."),
        (21, 20, "It is not certain yet whether mlrec predicts your likes better than popularity: 21 of 100 likes were"
                 " among the first 10 before you gave them; with popularity, 20."),
    ],
)  # fmt: skip
def test_the_sentence_is_as_plain_when_popularity_wins(own, popular, expected):
    likes = np.arange(100)
    hits = {"mlrec": likes < own, "recent": likes < 5, "popularity": likes >= 100 - popular}
    assert own_replay._summary(hits, own_replay._leads(hits), 10) == expected


def test_a_like_that_nobody_could_see_coming(few_copy):
    """A film outside of the model is a miss for every rule, and is told."""
    with Recommender.open(few_copy.root) as rec:
        for film in films_of(few_copy, 5):
            rec.update_user(ME, film.movie_id, "like")
    words = ["users", "import", "-", "--any-movie", "--data-dir", str(few_copy.root)]
    in_this_process(words, typed=f"user_id,movie_id,preference,at\n{ME},99999999,2,1600000000\n")
    words = ["users", "replay", "--user", str(ME), "--data-dir", str(few_copy.root)]
    shown = in_this_process(words)
    assert "1 like of movies that the model does not know count as misses." in shown.stdout
    found = json.loads(in_this_process([*words, "--json"]).stdout)
    assert (found["likes"], found["unknown_likes"]) == (6, 1)


def test_a_real_history_under_another_name(few, few_copy, tmp_path):
    """A person of the data, imported again as a new user: the replay is that of their likes, in their order."""
    with Recommender.open(few.root) as rec:
        user = max(rec.users(100).users, key=lambda one: one.ratings).user_id
        rated = {one.movie_id: one for one in rec.ratings(user)}
    films = [film for film in films_of(few, 10_000) if film.movie_id in rated]
    stars = {-2: 2.0, -1: 3.5, 1: 4.0, 2: 5.0}
    export = letterboxd(
        tmp_path / "me.zip", [(film, stars[rated[film.movie_id].preference], "2021-03-04") for film in films]
    )
    in_this_process(["users", "import", str(export), "--user", str(ME), "--data-dir", str(few_copy.root)])
    found = replay_user(few_copy, ME)
    assert found.opinions == len(films)
    assert found.likes == sum(rated[film.movie_id].preference > 0 for film in films)
    assert found.hit_rate["mlrec"].value > found.hit_rate["recent"].value
