"""Text ids in the facade: the same lists as with whole numbers, and no text that becomes a number."""

from __future__ import annotations

import io
from typing import Any

import duckdb
import numpy as np
import pytest

from mlrec import MlrecError, Recommender, Swipe
from mlrec.artifacts import registry
from mlrec.dataset.lists_file import write_lists
from mlrec.errors import InputError, SettingsError, UnknownMovieError
from mlrec.serving.history import history_of
from mlrec.serving.interchange import export_swipes, import_swipes
from mlrec.serving.loop import standing_swipes
from mlrec.serving.stores import open_store
from mlrec.serving.stores.interface import Draft
from mlrec.serving.swipe import Effect, SwipeSession
from mlrec.workspace import Workspace
from tests.text_ids import in_numbers, movie_text, user_text, with_text_ids

NEW = 9_000_001
AT = 1_700_000_000
NASTY = [
    " 7",
    "7 ",
    "007",
    "42",
    "1_23",
    "0x1F",
    "1e3",
    "٤٢",
    "a,b",
    'say "hi"',
    "'",
    "=1+1",
    "-x",
    "🎬",
    "a/b",
    "\t",
    "x" * 200,
]


@pytest.fixture(params=["memory", "sqlite"])
def both(request, demo, text_demo, tmp_path):
    """A recommender with numbers, and one with texts."""
    stores = [str(tmp_path / f"{name}.db") if request.param == "sqlite" else "memory" for name in ("numbers", "texts")]
    with (
        Recommender.open(demo.root, store=stores[0]) as numbers,
        Recommender.open(text_demo.root, store=stores[1]) as texts,
    ):
        yield numbers, texts


@pytest.fixture
def texts(text_demo):
    with Recommender.open(text_demo.root, store="memory") as opened:
        yield opened


def documents(items: Any) -> Any:
    return [item.to_json() for item in items]


# -- the same as with numbers ------------------------------------------------------------------------------------------


def test_lists_are_those_of_the_same_model_with_numbers(both):
    numbers, texts = both
    assert (numbers.user_id_kind, numbers.movie_id_kind) == ("integer", "integer")
    assert (texts.user_id_kind, texts.movie_id_kind) == ("text", "text")
    swipes = [(1, 2), (260, 1), (318, -1), (593, 0), (260, -2)]
    for user_id in (42, NEW):
        for number, (movie_id, preference) in enumerate(swipes):
            made = [
                rec.update_user(user, movie, preference, at=AT + number)
                for rec, user, movie in (
                    (numbers, user_id, movie_id),
                    (texts, user_text(user_id), movie_text(movie_id)),
                )
            ]
            assert made[1].movie_id == movie_text(movie_id)
            assert in_numbers(made[1].to_json()) == made[0].to_json()
            np.testing.assert_array_equal(made[1].vector, made[0].vector)
        undone = texts.undo(user_text(user_id), idempotency_key="u")
        assert in_numbers(undone.to_json()) == numbers.undo(user_id, idempotency_key="u").to_json()
        assert texts.undo(user_text(user_id), idempotency_key="u").is_new is False
    for user_id in (1, 42, NEW, NEW + 1):
        user = user_text(user_id)
        for options in ({}, {"genres": ["Drama"]}, {"diversity": 0.3}, {"include_seen": True}, {"years": (1990, 1999)}):
            expected = documents(numbers.get_top_n(user_id, 20, exclude=[296, 999_999], **options))
            exclude = [movie_text(296), "nothing"]
            assert in_numbers(documents(texts.get_top_n(user, 20, exclude=exclude, **options))) == expected
        assert in_numbers(texts.explain(user, movie_text(50)).to_json()) == numbers.explain(user_id, 50).to_json()
        assert texts.standing(user, movie_text(50)) == numbers.standing(user_id, 50)
        assert in_numbers(texts.user(user).to_json()) == numbers.user(user_id).to_json()
        assert in_numbers(documents(texts.ratings(user))) == documents(numbers.ratings(user_id))
        assert in_numbers(documents(texts.history(user))) == documents(numbers.history(user_id))
        assert texts.knows_user(user) == numbers.knows_user(user_id)
    likes, dislikes = [1, 260], [318]
    visitor = texts.recommend_for(map(movie_text, likes), map(movie_text, dislikes))
    assert in_numbers(documents(visitor)) == documents(numbers.recommend_for(likes, dislikes))
    assert in_numbers(documents(texts.similar_movies(movie_text(1)))) == documents(numbers.similar_movies(1))
    assert texts.label_of(movie_text(1)) == numbers.label_of(1)


def test_pages_and_batches_are_in_the_order_of_ids(both, tmp_path):
    numbers, texts = both
    for user_id in (NEW, NEW + 1, 3):
        numbers.update_user(user_id, 318, 1, at=AT)
        texts.update_user(user_text(user_id), movie_text(318), 1, at=AT)
    numbers.forget_user(NEW + 1)
    assert texts.forget_user(user_text(NEW + 1)) == 1
    assert texts.is_forgotten(user_text(NEW + 1))

    after: tuple[int | None, str | None] = (None, None)
    while True:
        pages = numbers.users(200, after=after[0]), texts.users(200, after=after[1])
        assert [in_numbers(vars(user)) for user in pages[1].users] == [vars(user) for user in pages[0].users]
        assert pages[0].total == pages[1].total
        if pages[0].next_after is None:
            break
        assert pages[1].next_after == user_text(int(pages[0].next_after))
        after = int(pages[0].next_after), str(pages[1].next_after)
    assert pages[1].next_after is None

    for ending in ("parquet", "csv"):
        rows = []
        for rec, name in ((numbers, "numbers"), (texts, "texts")):
            columns = ({n: v for n, v in vars(block).items() if n != "users"} for block in rec.recommend_all(3))
            write_lists(tmp_path / f"{name}.{ending}", columns)
            file = str(tmp_path / f"{name}.{ending}")
            source = f"read_csv('{file}', all_varchar = true)" if ending == "csv" else f"'{file}'"
            rows.append(duckdb.connect().execute(f"FROM {source}"))
        if ending == "parquet":
            for (user, movie), one in zip((("BIGINT", "BIGINT"), ("VARCHAR", "VARCHAR")), rows, strict=True):
                types = [str(column[1]) for column in one.description]
                assert types == [user, "INTEGER", movie, "FLOAT", "VARCHAR"]
        expected = [
            (user_text(int(user)), rank, movie_text(int(movie)), *rest)
            for user, rank, movie, *rest in rows[0].fetchall()
        ]
        assert rows[1].fetchall() == expected
    blocks = list(texts.recommend_all(2))
    assert {type(one) for block in blocks for one in block.user_id} == {str}
    assert {type(one) for block in blocks for one in block.movie_id} == {str}


def test_users_or_movies_alone_may_have_text_ids(demo, tmp_path):
    with Recommender.open(demo.root, store="memory") as numbers:
        expected = documents(numbers.get_top_n(42))
    for users, movies in ((True, False), (False, True)):
        workspace = Workspace(tmp_path / f"{users}")
        with_text_ids(registry.resolve(demo), workspace, users=users, movies=movies)
        with Recommender.open(workspace.root, store="memory") as mixed:
            user: Any = user_text(42) if users else 42
            movie: Any = movie_text(318) if movies else 318
            assert in_numbers(documents(mixed.get_top_n(user))) == expected
            assert mixed.update_user(user, movie, 1).movie_id == movie
            assert mixed.users(1).users[0].user_id == (user_text(1) if users else 1)


def test_a_session_of_swipes(texts):
    session = SwipeSession(texts, "a new user")
    card = session.card
    assert card is not None
    effect = session.answer(Swipe.LIKE)
    assert effect.state.movie_id == card.movie.movie_id
    undone = session.undo()
    assert isinstance(undone, Effect)
    assert undone.top[0].movie.movie_id == card.movie.movie_id
    session.put_aside()
    assert session.movie is not None
    assert session.movie.movie_id != card.movie.movie_id


# -- what is an id -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user_id", NASTY)
def test_texts_are_taken_exactly_as_they_are(texts, user_id):
    state = texts.update_user(user_id, movie_text(318), "like")
    assert (state.user_id, type(state.user_id)) == (user_id, str)
    assert texts.store.user_ids() == [user_id]
    assert texts.knows_user(user_id)
    assert not texts.knows_user(f" {user_id}"[:200])
    assert user_id in [user.user_id for user in texts.users(1000).users]
    assert texts.user(user_id).swipes == 1


class Name(str):
    """A text that calls itself otherwise, as members of some enums do."""

    __slots__ = ()

    def __str__(self) -> str:
        return "Name"


def test_subclasses_of_str_are_their_text(texts):
    for value in (Name("somebody"), np.str_("somebody")):
        state = texts.update_user(value, np.str_(movie_text(318)), "like")
        assert type(state.user_id) is str
        assert type(state.movie_id) is str
    assert texts.store.user_ids() == ["somebody"]
    assert {type(one) for one in texts.store.user_ids()} == {str}


WRONG: list[tuple[str, dict[str, Any], str]] = [
    *(("get_top_n", {"user_id": value}, "user_id must be a text of 1 to 200 bytes, not ") for value in
      (42, None, 2.0, True, b"bob", ["bob"], np.int64(7))),
    ("get_top_n", {"user_id": ""}, "user_id must be a text of 1 to 200 bytes, but '' is empty"),
    ("get_top_n", {"user_id": "x" * 201}, "is longer than 200 bytes"),
    ("get_top_n", {"user_id": "é" * 101}, "is longer than 200 bytes"),
    ("get_top_n", {"user_id": "a\0b"}, "contains a NUL character"),
    ("get_top_n", {"user_id": "\ud800"}, "is not valid Unicode"),
    ("get_top_n", {"user_id": "x" * 10_000_000}, "is longer than 200 bytes"),
    ("get_top_n", {"exclude": [318]}, "each of exclude must be a text"),
    ("recommend_for", {"likes": [318]}, "each of likes must be a text"),
    ("recommend_for", {"dislikes": [""]}, "each of dislikes must be a text"),
    ("recommend_for", {"likes": "318"}, "likes must be a list"),
    ("update_user", {"movie_id": 318}, "movie_id must be a text of 1 to 200 bytes, not 318"),
    ("similar_movies", {"movie_id": 1}, "movie_id must be a text"),
    ("users", {"after": 42}, "after must be a text"),
    ("users", {"after": ""}, "after must be a text"),
    ("forget_user", {"user_id": 42}, "user_id must be a text"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "given", "words"), WRONG)
def test_a_wrong_type_is_refused_by_name(texts, method, given, words):
    usable: dict[str, dict[str, Any]] = {
        "get_top_n": {"user_id": "a"},
        "update_user": {"user_id": "a", "preference": 1},
    }
    with pytest.raises(SettingsError) as caught:
        getattr(texts, method)(**usable.get(method, {}) | given)
    assert words in caught.value.message
    assert len(caught.value.message) < 300
    assert "likes must be a list" in words or "ids of this model are texts" in caught.value.hint
    assert texts.store.user_ids() == []


def test_a_text_is_refused_where_ids_are_numbers(demo):
    with Recommender.open(demo.root, store="memory") as numbers:
        for call, name in (
            (lambda: numbers.get_top_n("42"), "user_id"),
            (lambda: numbers.similar_movies("1"), "movie_id"),
        ):
            with pytest.raises(SettingsError, match=f"{name} must be a whole number, not '") as caught:
                call()
            assert "ids of this model are whole numbers" in caught.value.hint


# -- movies ------------------------------------------------------------------------------------------------------------


def test_an_unknown_movie_names_the_ids_that_sort_around_it(texts):
    for wanted in ("0000004x", "", "zzz", "\x01", "0000318" * 20):
        with pytest.raises(MlrecError) as caught:
            texts.similar_movies(wanted)
        if wanted:
            assert isinstance(caught.value, UnknownMovieError)
            assert caught.value.hint.count("; ") == 3
    with pytest.raises(UnknownMovieError, match="does not know movie '0000004x'") as caught:
        texts.similar_movies("0000004x")
    assert "'0000003' Grumpier Old Men" in caught.value.hint
    assert "'0000005' Father of the Bride" in caught.value.hint


def test_an_exact_id_wins_over_a_title(texts, demo, tmp_path):
    assert texts.find_movie("0000318").title == "The Shawshank Redemption"
    assert texts.find_movie("toy story").movie_id == "0000001"
    with pytest.raises(UnknownMovieError):
        texts.find_movie("318 ")
    with pytest.raises(UnknownMovieError, match="several") as caught:
        texts.find_movie("star wars")
    assert "'0000260' Star Wars" in caught.value.hint


# -- stores with ids of a former data set ------------------------------------------------------------------------------


def test_ids_of_the_other_kind_are_passed_over(texts, demo):
    store = texts.store
    store.append(42, Draft(318, 1, AT))
    store.append(7_000, Draft(318, 1, AT))
    store.append("mixed", Draft(318, 1, AT))
    store.append("mixed", Draft(movie_text(318), 2, AT + 1))
    store.forget(43, AT)
    users = texts.users(1000)
    assert {type(user.user_id) for user in users.users} == {str}
    assert "mixed" in [user.user_id for user in users.users]
    assert {type(one) for block in texts.recommend_all(1) for one in block.user_id} == {str}
    assert [event.movie_id for event in texts.history("mixed")] == [318, movie_text(318)]
    assert texts.history("mixed")[0].label == "movie 318, not in the model"
    assert texts.undo("mixed").movie_id == movie_text(318)
    with pytest.raises(MlrecError, match="no swipe to undo"):
        texts.undo("mixed")  # the other swipe is of a former data set

    store.append("both", Draft(318, 1, AT))
    store.append("both", Draft(movie_text(318), -1, AT))
    found = standing_swipes(store)
    rows = sorted(zip(found.user_id.tolist(), found.movie_id.tolist(), found.preference.tolist(), strict=True), key=str)
    assert rows == sorted(
        [(42, 318, 1), (7_000, 318, 1), ("mixed", 318, 1), ("both", 318, 1), ("both", movie_text(318), -1)], key=str
    )


def test_a_model_with_other_ids_takes_over_while_serving(demo_copy):
    with Recommender.open(demo_copy.root, store="memory") as rec:
        rec.update_user(NEW, 318, "like")
        numbers = registry.resolve(demo_copy)
        text = Workspace(demo_copy.root / "elsewhere")
        with_text_ids(numbers, text, users=False)
        model_id = numbers.root.name + "-text"
        registry.resolve(text).root.rename(demo_copy.model(model_id).root)
        (demo_copy.root / "models" / "CURRENT").write_text(model_id + "\n")
        assert rec.refresh()
        assert not rec.knows_user(NEW)  # the swipe is of a movie that nobody knows now
        rec.update_user(NEW, movie_text(318), "like")
        assert rec.knows_user(NEW)
        assert [event.movie_id for event in rec.history(NEW)] == [318, movie_text(318)]


# -- export and import -------------------------------------------------------------------------------------------------


def exported(store) -> bytes:
    file = io.BytesIO()
    export_swipes(file, ((user_id, history_of(store, user_id, None)) for user_id in store.user_ids()))
    return file.getvalue()


def log_of(store) -> dict[Any, list[Any]]:
    return {
        user: [(e.movie_id, e.preference, e.at, e.idempotency_key) for e in store.events(user)]
        for user in store.user_ids()
    }


@pytest.mark.parametrize("name", ["memory", "sqlite"])
@pytest.mark.parametrize("kinds", [("text", "text"), (None, None)])
def test_nasty_ids_come_back_from_an_export(tmp_path, name, kinds):
    first, second = (open_store(name if name == "memory" else str(tmp_path / f"{n}.db"), None) for n in "ab")
    for number, user_id in enumerate(NASTY):
        for movie_id in NASTY[: number + 1]:
            first.append(user_id, Draft(movie_id, 1, AT + number, idempotency_key=f"{movie_id}-{number}"[-200:]))
    content = exported(first)
    outcome = import_swipes(
        io.BytesIO(content), "swipes.csv", second, tmp_path / "bad.csv", movie_ids=None,
        user_id_kind=kinds[0], movie_id_kind=kinds[1],
    )  # fmt: skip
    assert outcome.rejects == {}
    assert log_of(second) == log_of(first)
    assert exported(second) == content
    first.close()
    second.close()


def test_integers_beside_texts_are_rejects(tmp_path):
    def load(content: str, **kinds: Any) -> tuple[dict[str, int], list[Any]]:
        store = open_store("memory", None)
        file = io.BytesIO(f"user_id,movie_id,preference,at\n{content}".encode())
        outcome = import_swipes(file, "x.csv", store, tmp_path / "bad.csv", movie_ids=None, max_reject_share=1, **kinds)
        return dict(outcome.rejects), store.user_ids()

    rows = "7,1,1,5\n 7,1,1,5\n7.0,1,1,6\n007,1,1,5\nbob,1,1,5\n,1,1,5\n" + "x" * 201 + ",1,1,5\n"
    found = load(rows, user_id_kind="integer")
    assert found == ({"unparsable user_id": 3, "empty user_id": 1}, [7])
    found = load(rows, user_id_kind="text")
    assert found == ({"empty user_id": 1, "user_id is longer than 200 bytes": 1}, [" 7", "007", "7", "7.0", "bob"])
    assert load("7,1,1,5\nbob,1,1,5\n", user_id_kind=None) == ({"unparsable user_id": 1}, [7])
    assert load("7,1,1,5\nbob,1,1,5\nann,1,1,5\n", user_id_kind=None) == ({}, ["7", "ann", "bob"])


@pytest.mark.parametrize(("user_id", "movie_id"), [("a\nb", "m"), ("a\rb", "m"), ("a", "m\n")])
def test_an_id_with_a_line_break_cannot_be_exported(user_id, movie_id):
    store = open_store("memory", None)
    store.append(user_id, Draft(movie_id, 1, AT))
    with pytest.raises(InputError, match="has a line break") as caught:
        exported(store)
    assert "\n" not in caught.value.message
