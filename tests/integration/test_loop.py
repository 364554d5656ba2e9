"""The whole loop: swipes go into the next preparation, and the next model learns from each of them once."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlrec import Recommender
from mlrec.artifacts import model_folder, registry
from mlrec.dataset.prepare import Prepared, prepare
from mlrec.errors import IncompatibleFormatError, StoreUnavailableError
from mlrec.model.train import train
from mlrec.serving.loop import standing_swipes
from mlrec.serving.stores import open_store
from mlrec.serving.stores.interface import Draft, Event, SwipeStore
from mlrec.settings import PrepareSettings, TrainSettings
from mlrec.workspace import Workspace
from tests.independent import Row, divided, first_difference, rows_of
from tests.stores import RedisServer, redis_server

LATER = 1_600_000_000
"""After every rating of the demo data."""
NEW, OTHER_NEW, BARELY_KNOWN = 9_000_001, 9_000_002, 9_000_003


# -- the definitions once more, in plain Python ------------------------------------------------------------------------


def opinions(events: Iterable[Event]) -> dict[Any, tuple[int, int]]:
    """One user's log: movie → (timestamp, preference) of the latest swipe that was not undone."""
    events = list(events)
    undone = {event.undoes for event in events}
    alive = [event for event in events if not event.undoes and event.event_id not in undone]
    return {
        event.movie_id: (event.at, event.preference)
        for event in sorted(alive, key=lambda event: (event.at, event.event_id))
    }


def independent_merge(raw: Path, store: SwipeStore) -> list[Row]:
    """The rows of all splits that raw ratings and a store's logs give with the default settings."""
    with (raw / "ratings.csv").open() as file:
        rated = {
            (int(row["userId"]), int(row["movieId"])): (int(row["timestamp"]), float(row["rating"]))
            for row in csv.DictReader(file)
        }
    table = {
        pair: (timestamp, -2 if rating <= 2.5 else -1 if rating <= 3.5 else 1 if rating <= 4.5 else 2)
        for pair, (timestamp, rating) in rated.items()
    }
    users: list[Any] = store.user_ids()
    for user in users:
        for movie, (at, preference) in opinions(store.events(user)).items():
            if (user, movie) not in table or at >= table[user, movie][0]:
                table[user, movie] = (at, preference)
    forgotten = set(store.forgotten())
    return divided(
        (user, timestamp, movie, preference)
        for (user, movie), (timestamp, preference) in table.items()
        if preference and user not in forgotten
    )


def users_of(workspace: Workspace) -> set[int]:
    return {user for user, *_ in rows_of(workspace)}


def folder_of(workspace: Workspace) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in workspace.prepared.root.iterdir()}


# -- an app in use -----------------------------------------------------------------------------------------------------


def use_the_app(demo: Workspace, store_name: str) -> None:
    """Old and new users swipe: movies they had rated and others, again, back, too late, and with second thoughts."""
    model = model_folder.open_model(registry.resolve(demo))
    popular = model.movie_ids[np.argsort(-np.asarray(model.popularity), kind="stable")].tolist()

    def rated(user: int) -> list[tuple[int, int, int]]:
        user_row = model.user_idx(user)
        assert user_row is not None
        events = model.history.of(user_row)
        columns = (getattr(model.history, name)[events].tolist() for name in ("movie_idx", "preference", "timestamp"))
        return [
            (int(model.movie_ids[row]), preference, at)
            for row, preference, at in zip(*columns, strict=True)
            if row >= 0
        ]

    with Recommender.open(demo.root, store=store_name) as rec:

        def swipe(user: int, *swipes: tuple[int, int, int]) -> None:
            for movie, preference, at in swipes:
                rec.update_user(user, movie, preference, at=at)

        own = rated(42)
        unrated = [movie for movie in popular if movie not in {movie for movie, *_ in own}]
        swipe(42, *((movie, -preference, LATER + i) for i, (movie, preference, _) in enumerate(own[:5])))  # other minds
        swipe(42, (own[6][0], 0, LATER), (unrated[0], 0, LATER))  # skips of a rated movie and of another
        swipe(42, (own[7][0], -own[7][1], own[7][2] - 1), (own[8][0], 0, own[8][2] - 1))  # too late
        swipe(42, (own[9][0], 3 - abs(own[9][1]), own[9][2]))  # in the same second
        swipe(
            42, (unrated[1], 2, LATER + 50), (unrated[2], -1, LATER + 40), (unrated[1], 1, LATER + 30)
        )  # out of order
        swipe(42, (unrated[3], 1, LATER), (unrated[3], 0, LATER))  # liked and skipped in one second
        swipe(42, (own[10][0], -2, LATER + 60))
        rec.undo(42)
        swipe(42, (unrated[4], 2, LATER + 70), (unrated[4], -2, LATER + 71))
        rec.undo(42)  # the first one stands again
        swipe(7, (popular[0], 2, LATER))
        rec.undo(7)  # as if never seen here

        swipe(NEW, *((movie, (2, 1, -1)[i % 3], LATER + i) for i, movie in enumerate(popular[:14])))
        swipe(NEW, (popular[0], -2, LATER + 100), (popular[1], 0, LATER + 101), (popular[20], 0, LATER + 102))
        swipe(OTHER_NEW, *((movie, (1, -2)[i % 2], LATER - i) for i, movie in enumerate(popular[5:45:3])))
        swipe(BARELY_KNOWN, *((movie, 1, LATER) for movie in popular[:3]))


def prepare_as_the_command_does(
    workspace: Workspace, raw: Path, store: SwipeStore, *, with_swipes: bool = True, **settings: Any
) -> Prepared:
    swipes = standing_swipes(store) if with_swipes else None
    return prepare(workspace, PrepareSettings(**settings), raw=raw, swipes=swipes, forgotten=store.forgotten())


@pytest.fixture(scope="module")
def looped(demo, demo_raw, tmp_path_factory) -> tuple[Workspace, Prepared]:
    """The demo data prepared with an app's swipes, and a model that has learned from all of it. For reading only."""
    workspace = Workspace(tmp_path_factory.mktemp("loop") / "data")
    shutil.copytree(demo.root, workspace.root)
    use_the_app(workspace, str(workspace.users_db.absolute()))
    store = open_store(None, workspace)
    result = prepare_as_the_command_does(workspace, demo_raw, store)
    store.close()
    train(workspace, TrainSettings(on="all"))
    return workspace, result


@pytest.fixture
def looped_copy(looped, tmp_path) -> tuple[Workspace, SwipeStore]:
    """A copy that a test may change, and its store."""
    workspace = Workspace(tmp_path / "data")
    shutil.copytree(looped[0].root, workspace.root)
    return workspace, open_store(None, workspace)


# -- preparing ---------------------------------------------------------------------------------------------------------


def test_every_row_is_what_a_merge_in_plain_python_gives(looped, demo, demo_raw):
    workspace, result = looped
    store = open_store(None, workspace)
    expected = independent_merge(demo_raw, store)
    assert first_difference(rows_of(workspace), expected) is None
    assert first_difference(rows_of(workspace), rows_of(demo)) is not None
    assert {NEW, OTHER_NEW} <= users_of(workspace)
    assert BARELY_KNOWN not in users_of(workspace)  # too few events for the core
    assert result.manifest.document["swipes"] == {
        "standing": sum(len(opinions(store.events(user))) for user in store.user_ids()),
        "merged": 9 + 13 + 14 + 3,
        "skips": 3 + 2,
        "outdated": 2,
        "rejected": 0,
    }
    names = [step["name"] for step in result.manifest.document["steps"]]
    assert names[:3] == ["read", "with swipes", "deduplicated"]
    assert result.manifest.steps[0].ratings == sum(result.manifest.rating_histogram.values()) == 100_004


@pytest.mark.parametrize("threads", [1, 3])
def test_preparing_again_gives_the_same_rows_and_the_same_fingerprint(looped, looped_copy, demo_raw, threads):
    workspace, store = looped_copy
    before = {name: content for name, content in folder_of(workspace).items() if name != "manifest.json"}
    again = prepare_as_the_command_does(workspace, demo_raw, store, threads=threads)
    assert again.manifest.fingerprint == looped[1].manifest.fingerprint
    assert {name: content for name, content in folder_of(workspace).items() if name != "manifest.json"} == before


def test_one_swipe_more_changes_the_fingerprint_and_its_undo_changes_it_back(looped, looped_copy, demo_raw):
    workspace, store = looped_copy
    with Recommender.open(workspace.root) as rec:
        rec.update_user(42, 318, -2, at=LATER + 500)
        changed = prepare_as_the_command_does(workspace, demo_raw, store).manifest.fingerprint
        rec.undo(42)
        undone = prepare_as_the_command_does(workspace, demo_raw, store).manifest.fingerprint
    assert changed != undone == looped[1].manifest.fingerprint


def test_without_swipes_the_store_matters_only_by_its_blocklist(looped_copy, demo, demo_raw):
    workspace, store = looped_copy
    plain = prepare_as_the_command_does(workspace, demo_raw, store, with_swipes=False)
    assert (
        plain.manifest.fingerprint == prepare(Workspace(workspace.root.parent / "b"), raw=demo_raw).manifest.fingerprint
    )
    assert first_difference(rows_of(workspace), rows_of(demo)) is None


# -- the next model ----------------------------------------------------------------------------------------------------


def test_the_next_model_knows_new_users_who_swiped_enough(looped):
    workspace, _ = looped
    model = model_folder.open_model(registry.resolve(workspace))
    assert model.user_idx(NEW) is not None
    assert model.user_idx(OTHER_NEW) is not None
    assert model.user_idx(BARELY_KNOWN) is None
    assert np.asarray(model.user_vectors[model.user_idx(NEW)]).any()


@pytest.mark.parametrize("user", [1, 7, 42, NEW, OTHER_NEW])
def test_no_event_counts_twice_once_it_has_been_learned(looped, demo_raw, user):
    """The view of model and log together is the view of the model alone."""
    workspace, _ = looped
    with Recommender.open(workspace.root) as rec:
        view = rec._view(user)
        served = view.served
        known = served.known_history(user)
        store = open_store(None, workspace)
        expected = [(row.movie, row.preference) for row in independent_merge(demo_raw, store) if row.user == user]
        assert list(zip(view.history.movie_id.tolist(), view.history.preference.tolist(), strict=True)) == expected
        assert len(view.history) == len(known.movie_idx) == len({movie for movie, _ in expected})
        assert not view.history.is_new.any()
        alone = served.model.solver().user_vector(known.movie_idx, known.preference)
        np.testing.assert_allclose(view.vector, alone, atol=1e-5)
        seen = set(opinions(store.events(user))) | {movie for movie, _ in expected}
        assert not seen & {item.movie_id for item in rec.get_top_n(user, 10_000)}


def test_who_is_not_in_the_model_keeps_the_log(looped):
    workspace, _ = looped
    with Recommender.open(workspace.root) as rec:
        view = rec._view(BARELY_KNOWN)
        assert len(view.history) == 3
        assert view.history.is_new.all()
        assert rec.get_top_n(BARELY_KNOWN)[0].source == "personal"


def test_a_swipe_after_the_merge_counts_once_and_its_undo_leads_back(looped_copy):
    workspace, _ = looped_copy
    with Recommender.open(workspace.root) as rec:
        before = rec._view(NEW)
        state = rec.update_user(NEW, int(before.history.movie_id[0]), -2, at=LATER + 999)
        assert state.opinions == len(before.history)
        np.testing.assert_allclose(rec.undo(NEW).vector, before.vector, atol=1e-5)


def test_the_undo_of_a_merged_swipe_takes_it_out_of_the_old_model_and_of_the_next_one(looped_copy, demo_raw):
    workspace, store = looped_copy
    with Recommender.open(workspace.root) as rec:
        before = rec._view(OTHER_NEW)
        undone = rec.undo(OTHER_NEW)
        assert undone.opinions == len(before.history) - 1
        prepare_as_the_command_does(workspace, demo_raw, store)
        train(workspace, TrainSettings(on="all"))
        rec.refresh()
        after = rec._view(OTHER_NEW)
        assert undone.movie_id not in after.history.movie_id
        assert len(after.history) == len(before.history) - 1
        assert not after.history.is_new.any()


def test_a_model_of_the_train_part_takes_held_out_swipes_from_the_log(looped_copy):
    workspace, _ = looped_copy
    with Recommender.open(workspace.root) as rec:
        everything = rec._view(NEW)
    train(workspace)
    with Recommender.open(workspace.root) as rec:
        view = rec._view(NEW)
        assert np.sort(view.history.movie_id).tolist() == np.sort(everything.history.movie_id).tolist()
        assert view.history.is_new.sum() == len(view.history) - np.count_nonzero(view.served.known_history(NEW).learned)


# -- forgotten users ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_swipes", [True, False])
def test_forgotten_users_are_left_out_until_they_are_allowed_again(looped_copy, demo_raw, with_swipes):
    workspace, store = looped_copy
    everybody = prepare_as_the_command_does(workspace, demo_raw, store, with_swipes=with_swipes)
    for user in (42, 100, NEW):
        store.forget(user, LATER)
    without = prepare_as_the_command_does(workspace, demo_raw, store, with_swipes=with_swipes)
    assert not {42, 100, NEW} & users_of(workspace)
    assert without.manifest.fingerprint != everybody.manifest.fingerprint
    step = without.manifest.document["steps"][1]
    assert (step["name"], step["users"]) == ("without forgotten users", 669)
    if with_swipes:
        assert first_difference(rows_of(workspace), independent_merge(demo_raw, store)) is None

    for user in (42, 100, NEW):
        assert store.allow(user)
    prepare_as_the_command_does(workspace, demo_raw, store, with_swipes=with_swipes)
    assert {42, 100} <= users_of(workspace)
    assert NEW not in users_of(workspace)  # the log is gone for good; ratings are not mlrec's to delete
    if with_swipes:
        assert first_difference(rows_of(workspace), independent_merge(demo_raw, store)) is None


def test_forgotten_users_go_by_the_ids_of_serving(looped_copy, demo_raw):
    workspace, store = looped_copy
    store.forget(1_000_042, LATER)
    store.forget(7, LATER)
    prepare_as_the_command_does(workspace, demo_raw, store, with_swipes=False, user_offset=1_000_000)
    assert 1_000_042 not in users_of(workspace)
    assert 1_000_007 in users_of(workspace)


# -- stores ------------------------------------------------------------------------------------------------------------


def test_every_store_gives_its_standing_swipes(store):
    drafts = [
        (BARELY_KNOWN, Draft(5, 2, 100)),
        (3, Draft(9, 1, 50)),
        (3, Draft(8, 0, 60)),
        (3, Draft(9, -2, 40)),
        (3, Draft(7, 1, 70)),
        (3, Draft(7, 0, 80, undoes=4)),
        (-4, Draft(7, 1, 70)),
        (-4, Draft(7, 0, 80, undoes=1)),
    ]
    store.extend(drafts)
    found = standing_swipes(store)
    assert list(zip(*(vars(found)[name].tolist() for name in vars(found)), strict=True)) == [
        (3, 8, 0, 60, 2),
        (3, 9, 1, 50, 1),
        (BARELY_KNOWN, 5, 2, 100, 1),
    ]
    assert {column.dtype for column in vars(found).values()} == {np.dtype(np.int64)}


def test_an_empty_store_has_no_standing_swipes(store):
    assert len(standing_swipes(store)) == 0


def test_a_store_that_is_not_there_is_not_made(demo_raw, tmp_path):
    workspace = Workspace(tmp_path / "data")
    store = open_store(None, workspace)
    result = prepare_as_the_command_does(workspace, demo_raw, store)
    assert set(result.manifest.document["swipes"].values()) == {0}
    assert sorted(path.name for path in workspace.root.iterdir()) == [".lock", "prepared"]


def test_swipes_in_redis_give_what_swipes_in_a_file_give(looped, demo, demo_raw, redis_url, tmp_path):
    use_the_app(demo, redis_url)
    store = open_store(redis_url, None)
    workspace = Workspace(tmp_path / "data")
    result = prepare_as_the_command_does(workspace, demo_raw, store)
    assert result.manifest.fingerprint == looped[1].manifest.fingerprint
    assert first_difference(rows_of(workspace), rows_of(looped[0])) is None
    store.forget(42, LATER)
    prepare_as_the_command_does(workspace, demo_raw, store, with_swipes=False)
    assert 42 not in users_of(workspace)
    store.close()


def test_a_store_that_fails_while_it_is_read_raises(demo, tmp_path):
    with redis_server(tmp_path / "redis") as server:
        use_the_app(demo, server.url)
        store = open_store(server.url, None)
        killed = _KillingProgress(server)
        with pytest.raises(StoreUnavailableError):
            standing_swipes(store, killed)
        assert killed.users == 1


class _KillingProgress:
    """Kills a server as soon as the first user has been read."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.users = 0

    def task(self, label, total=None, unit=""):
        return nullcontext(self)

    def advance(self, amount=1):
        self.users += amount
        self.server.kill()


def test_a_damaged_store_raises(looped_copy):
    workspace, store = looped_copy
    store.close()
    content = bytearray(workspace.users_db.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    workspace.users_db.write_bytes(content)
    for suffix in ("-wal", "-shm"):
        Path(f"{workspace.users_db}{suffix}").unlink(missing_ok=True)
    with pytest.raises(IncompatibleFormatError, match="damaged"):
        standing_swipes(open_store(None, workspace))
