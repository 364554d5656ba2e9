"""Exporting swipe logs as CSV and importing them, with stores of every kind."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrec.errors import InputError, StateError, TooManyRejectsError
from mlrec.ids import PublicId
from mlrec.serving.history import history_of
from mlrec.serving.interchange import Imported, export_swipes, import_swipes
from mlrec.serving.stores.interface import Draft, SwipeStore
from mlrec.serving.stores.memory import MemoryStore
from mlrec.serving.stores.sqlite import SqliteStore

HEADER = "user_id,movie_id,preference,at\n"


@pytest.fixture
def rejects(tmp_path) -> Path:
    return tmp_path / "new" / "rejects.csv"


def exported(store: SwipeStore) -> bytes:
    file = io.BytesIO()
    export_swipes(file, ((user_id, history_of(store, user_id, None)) for user_id in store.user_ids()))
    return file.getvalue()


def load(store: SwipeStore, content: str | bytes, rejects: Path, **options) -> Imported:
    content = content.encode() if isinstance(content, str) else content
    return import_swipes(
        io.BytesIO(content), "swipes.csv", store, rejects, **{"movie_ids": None, "max_reject_share": 1.0} | options
    )


def logged(store: SwipeStore, user_id: PublicId) -> list[tuple[PublicId, int, int]]:
    return [(event.movie_id, event.preference, event.at) for event in store.events(user_id)]


def reported(path: Path) -> list[tuple[str, str, str]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(row["file"] == "swipes.csv" for row in rows)
    return [(row["line"], row["text"], row["reason"]) for row in rows]


# -- importing ---------------------------------------------------------------------------------------------------------


def test_rows_are_logged_in_the_order_of_the_file(store, rejects):
    content = HEADER + "2,10,like,500\n1,10,1,300\n2,11,-2,100\n1,12,0,200\n"
    assert load(store, content, rejects) == Imported(4, 0, 0, {}, None)
    assert logged(store, 2) == [(10, 1, 500), (11, -2, 100)]
    assert logged(store, 1) == [(10, 1, 300), (12, 0, 200)]
    assert not rejects.exists()


def test_importing_twice_changes_nothing(store, rejects):
    # The last two rows: a change of mind and back within a second, then a repetition.
    content = HEADER + "1,10,1,300\n1,11,1,300\n1,10,-1,300\n1,10,1,300\n1,10,1,300\n"
    assert load(store, content, rejects) == Imported(4, 1, 0, {}, None)
    before = store.events(1)
    assert load(store, content, rejects) == Imported(0, 5, 0, {}, None)
    assert store.events(1) == before


def test_what_an_application_has_logged_is_there_already(store, rejects):
    store.append(1, Draft(10, 1, 300, idempotency_key="a"))
    store.append(1, Draft(11, 1, 300))
    store.append(1, Draft(11, 0, 400, undoes=2))
    header = "user_id,movie_id,preference,at,event_id\n"
    content = header + "1,10,1,300,\n1,11,1,300,\n1,10,1,999,a\n1,12,1,300,b\n1,12,1,301,b\n2,10,1,300,a\n"
    assert load(store, content, rejects) == Imported(2, 4, 0, {}, None)
    assert logged(store, 1)[3:] == [(12, 1, 300)]
    assert store.events(2)[0].idempotency_key == "a"


def test_an_idempotency_key_of_another_swipe_is_rejected(store, rejects):
    store.append(1, Draft(10, 1, 300, idempotency_key="a"))
    store.append(1, Draft(10, 0, 301, undoes=1, idempotency_key="u"))
    content = "user_id,movie_id,preference,at,event_id\n1,10,-1,300,a\n1,11,1,300,u\n1,12,1,1,new\n1,13,1,1,new\n"
    outcome = load(store, content, rejects)
    assert outcome == Imported(1, 0, 0, {"idempotency key of another swipe": 3}, rejects)
    assert [line for line, _, _ in reported(rejects)] == ["2", "3", "5"]
    assert reported(rejects)[0][1] == "1,10,-1,300,a"
    assert logged(store, 1)[2:] == [(12, 1, 1)]


def test_bad_rows_are_listed_and_the_others_logged(store, rejects):
    store.forget(7, 1)
    content = HEADER + '1,10,1,300\n7,10,1,300\n\n1,99,1,300\n1,"Good, Bad",1,300\r\n1,11,2,300'
    outcome = load(store, content, rejects, movie_ids={10, 11})
    by_reason = {"forgotten user": 1, "unknown movie": 1, "unparsable movie_id": 1}
    assert outcome == Imported(2, 0, 0, by_reason, rejects)
    assert reported(rejects) == [
        ("3", "7,10,1,300", "forgotten user"),
        ("5", "1,99,1,300", "unknown movie"),
        ("6", '1,"Good, Bad",1,300', "unparsable movie_id"),
    ]
    assert outcome.to_json() == {
        "imported": 2,
        "already_there": 0,
        "undone": 0,
        "rejects": {"rows": 3, "by_reason": by_reason},
        "rejects_file": str(rejects),
    }


def test_too_many_bad_rows_stop_before_anything_is_logged(store, rejects):
    content = HEADER + "".join(f"1,{movie},1,300\n" for movie in range(98)) + "x,1,1,1\n1,y,1,1\n"
    with pytest.raises(TooManyRejectsError, match=r"2 of 100 rows are bad \(2.0%, allowed 1.0%\).*line 100") as error:
        load(store, content, rejects, max_reject_share=0.01)
    assert str(rejects) in error.value.hint
    assert len(reported(rejects)) == 2
    assert store.user_ids() == []
    assert load(store, content, rejects, max_reject_share=0.02).imported == 98


def test_idempotency_keys_of_other_swipes_count_as_bad_rows(store, rejects):
    content = "user_id,movie_id,preference,at,event_id\n1,10,1,300,a\n1,11,1,300,a\n"
    with pytest.raises(TooManyRejectsError, match="1 of 2 rows"):
        load(store, content, rejects, max_reject_share=0.4)
    assert store.user_ids() == []


def test_no_movie_is_known_and_no_user_has_swiped(store, rejects):
    assert load(store, HEADER, rejects) == Imported(0, 0, 0, {}, None)
    assert load(store, HEADER + "\n\r\n  \n", rejects, max_reject_share=0) == Imported(0, 0, 0, {}, None)
    assert load(store, HEADER + "1,1,1,1\n", rejects, movie_ids=set()).rejects == {"unknown movie": 1}


def test_windows_files_are_read(store, rejects):
    content = b"\xef\xbb\xbf" + HEADER.replace("\n", "\r\n").encode() + b'1,10,1,300\r\n"1","11","-2","300"\r\n'
    assert load(store, content, rejects).imported == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"1,10,1,300\n", "has no column user_id"),
        ((HEADER + "1,10,1,300\n").encode("utf-16"), "is not UTF-8: see line 1"),
        (HEADER.encode() + b"1,10,1,300\n1,10,1,300,caf\xe9\n", "is not UTF-8: see line 3"),
        (b"x" * 2_000_000, "line 1 is over"),
        (bytes(2_000_000), "line 1 is over"),
    ],
)
def test_what_is_no_csv_is_an_error_that_names_the_file(content, words, rejects):
    store = MemoryStore()
    with pytest.raises(InputError, match=f"swipes.csv.*{words}"):
        load(store, content, rejects)
    assert store.user_ids() == []
    assert not rejects.exists()


def test_a_failed_import_makes_no_database(tmp_path, rejects):
    store = SqliteStore(tmp_path / "users.db")
    with pytest.raises(TooManyRejectsError):
        load(store, HEADER + "x,1,1,1\n", rejects, max_reject_share=0)
    assert not store.path.exists()


def test_two_imports_of_one_file_at_once_log_it_once(tmp_path, rejects):
    path = tmp_path / "users.db"
    content = HEADER + "".join(f"{row % 7},{row},1,300\n" for row in range(3000))

    def one(_) -> Imported:
        with closing(SqliteStore(path)) as store:
            return load(store, content, rejects)

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(one, range(4)))
    assert sorted(outcome.imported for outcome in outcomes) == [0, 0, 0, 3000]
    assert {outcome.imported + outcome.already_there for outcome in outcomes} == {3000}


def test_no_room_for_sorting_is_told(rejects, monkeypatch):
    monkeypatch.setattr(
        "mlrec.serving.interchange._TABLES",
        "PRAGMA max_page_count = 4;"
        "CREATE TABLE usable (user_id, line, movie_id, preference, at, idempotency_key, text);"
        "CREATE TABLE rejects (line, text, reason);",
    )
    content = HEADER + "".join(f"1,{movie},1,300\n" for movie in range(5000))
    with pytest.raises(StateError, match="full") as error:
        load(MemoryStore(), content, rejects)
    assert "SQLITE_TMPDIR" in error.value.hint


# -- exporting ---------------------------------------------------------------------------------------------------------


def test_an_export_says_what_the_log_says(store):
    store.append(1, Draft(10, 1, 300, idempotency_key="a,b"))
    store.append(1, Draft(11, -2, 301))
    store.append(1, Draft(11, 0, 302, undoes=2))
    store.append(1, Draft(12, 0, 303, idempotency_key="two\nlines"))
    assert exported(store).decode() == (
        "user_id,event_id,movie_id,title,preference,at,undone,client_id\n"
        '1,1,10,,1,300,false,"a,b"\n'
        "1,2,11,,-2,301,true,\n"
        "1,4,12,,0,303,false,\n"
    )


def test_a_log_moves_from_store_to_store(store, rejects):
    origin = MemoryStore()
    origin.append(2, Draft(10, 1, 300, idempotency_key="é"))
    origin.append(1, Draft(11, -2, 301))
    origin.append(1, Draft(12, 2, 300))
    origin.append(1, Draft(12, 0, 302, undoes=2))
    assert load(store, exported(origin), rejects) == Imported(2, 0, 1, {}, None)
    assert logged(store, 1) == [(11, -2, 301)]
    assert store.events(2)[0].idempotency_key == "é"
    assert load(store, exported(store), rejects) == Imported(0, 2, 0, {}, None)
    assert load(origin, exported(origin), rejects) == Imported(0, 2, 1, {}, None)


MOMENTS = st.integers(0, 3)  # few, so that many swipes fall on the same second
SWIPES = st.builds(
    Draft,
    movie_id=st.sampled_from([0, 1, 2, 2**63 - 1]),
    preference=st.integers(-2, 2),
    at=MOMENTS,
    undoes=st.just(0),
    idempotency_key=st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3),
)
UNDO = st.none()
ACTIONS = st.lists(st.tuples(st.sampled_from([0, 1, 2**63 - 1]), SWIPES | SWIPES | SWIPES | UNDO), max_size=25)


def standing(store: SwipeStore) -> dict[tuple[PublicId, PublicId], tuple[int, int]]:
    """The latest swipe of each user and movie that was not undone, worked out plainly."""
    found: dict[tuple[PublicId, PublicId], tuple[int, int]] = {}
    for user_id in store.user_ids():
        events = store.events(user_id)
        undone = {event.undoes for event in events}
        for event in sorted(events, key=lambda event: (event.at, event.event_id)):
            if not event.undoes and event.event_id not in undone:
                found[user_id, event.movie_id] = (event.preference, event.at)
    return found


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@settings(max_examples=60, deadline=None)
@given(actions=ACTIONS)
def test_what_stands_survives_the_way_out_and_back(kind, actions):
    origin = MemoryStore()
    for user_id, draft in actions:
        alive = [event for event in history_of(origin, user_id, None) if not event.undone]
        if draft is not None:
            origin.append(user_id, draft)
        elif alive:
            origin.append(user_id, Draft(alive[-1].movie_id, 0, 9, undoes=alive[-1].event_id))
    with TemporaryDirectory() as folder:
        rejects = Path(folder) / "rejects.csv"
        copy = MemoryStore() if kind == "memory" else SqliteStore(Path(folder) / "users.db")
        outcome = load(copy, exported(origin), rejects, max_reject_share=0)
        assert standing(copy) == standing(origin)
        assert outcome.imported + outcome.already_there + outcome.undone == origin.counts().swipes

        for store in (origin, copy):
            before = store.counts()
            assert load(store, exported(origin), rejects, max_reject_share=0).imported == 0
            assert store.counts() == before
        copy.close()


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["1", "2"]), st.sampled_from(["1", "2"]), st.sampled_from(["-1", "0", "1"]),
        st.sampled_from(["5", "6"]), st.sampled_from(["", "", "", "a", "b"]),
    ),
    max_size=15,
)  # fmt: skip


@settings(deadline=None)
@given(rows=ROWS, before=ROWS)
def test_importing_any_file_twice_changes_nothing(rows, before, tmp_path_factory):
    store, rejects = MemoryStore(), tmp_path_factory.getbasetemp() / "rejects.csv"
    header = "user_id,movie_id,preference,at,event_id\n"
    for content in (before, rows):
        load(store, header + "\n".join(map(",".join, content)), rejects)
    events = {user_id: list(store.events(user_id)) for user_id in store.user_ids()}
    assert load(store, header + "\n".join(map(",".join, rows)), rejects).imported == 0
    assert {user_id: list(store.events(user_id)) for user_id in store.user_ids()} == events
