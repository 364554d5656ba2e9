"""The output of prepare, compared with the definitions in plain Python."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrec.artifacts.prepared import Cutoffs
from mlrec.dataset.prepare import prepare
from mlrec.errors import EmptyResultError
from mlrec.settings import PrepareSettings
from tests.integration.prepare.definitions import (
    INT64_MAX,
    Rating,
    Swiped,
    core_rounds,
    counts,
    drop_duplicates,
    expected_rows,
    merged,
    split_by_user,
    ties_of,
)
from tests.integration.prepare.raw_data import (
    crowd,
    csv_lines,
    loose,
    movie_rows,
    rejects,
    split_rows,
    swipe_table,
    write_raw,
)

BAD_ROWS = {
    "x,1,4.0,5": "unparsable userId",
    "1,99,4.0,5": "unknown movie",
    "1,1,4.0": "missing field",
    "1,1,5.5,5": "rating out of range",
    "1,1,4.0,": "empty timestamp",
    f"{INT64_MAX + 1},1,4.0,5": "userId beyond int64",
}

good_rows = st.builds(
    Rating,
    user_id=st.integers(-1, 5),
    movie_id=st.integers(1, 6),
    rating=st.sampled_from([0.5, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0]),
    timestamp=st.integers(0, 6),
)
tables = st.lists(good_rows | st.sampled_from(sorted(BAD_ROWS)), max_size=70)
divisions = st.sampled_from(
    [{"split": "user-time"}, {"split": "global-time"}, {"ties": "random"}, {"ties": "random", "random_seed": 2**32 - 1}]
)
ways = st.builds(
    lambda division, **others: loose(**division, **others),
    divisions,
    min_user_ratings=st.integers(1, 4),
    min_movie_ratings=st.integers(1, 4),
    split_ratio=st.sampled_from([(8, 1, 1), (1, 1, 1), (3, 1, 0), (1, 0, 0)]),
    user_offset=st.sampled_from([0, 10**6]),
)


@pytest.mark.parametrize("row", BAD_ROWS)
def test_a_single_bad_row_is_named(tmp_path, row):
    """Each kind alone: the quick way must not take any of them for good."""
    workspace = write_raw(tmp_path, [*csv_lines([Rating(1, 1, 4.0, 5)]), row], movies=6)
    result = prepare(workspace, loose(min_user_ratings=1, min_movie_ratings=1, max_reject_share=0.5))
    assert rejects(workspace.prepared.rejects) == [("ratings.csv", 3, row, BAD_ROWS[row])]
    assert result.manifest.input.rows["ratings"] == 2


@settings(max_examples=20, deadline=None)
@given(tables, ways)
def test_any_table_gives_what_the_definitions_say(table, how):
    lines = [csv_lines([row])[0] if isinstance(row, Rating) else row for row in table]
    ratings = [row for row in table if isinstance(row, Rating)]
    standing = drop_duplicates(ratings)
    rounds = core_rounds(standing, how.min_user_ratings, how.min_movie_ratings)
    with tempfile.TemporaryDirectory() as root:
        workspace = write_raw(Path(root), lines, movies=6)
        if not rounds[-1]:
            with pytest.raises(EmptyResultError):
                prepare(workspace, how)
            return
        manifest = prepare(workspace, how).manifest.document
        rows = expected_rows(rounds[-1], how)
        assert split_rows(workspace) == rows
        assert rejects(workspace.prepared.rejects) == [
            ("ratings.csv", line, row, BAD_ROWS[row]) for line, row in enumerate(table, 2) if isinstance(row, str)
        ]
    assert manifest["steps"] == [
        counts("read", ratings),
        counts("deduplicated", standing),
        *(counts(f"core round {i}", left) for i, left in enumerate(rounds, 1)),
    ]
    assert manifest["splits"] == {name: len(events) for name, events in rows.items()}
    if how.split == "user-time":
        assert manifest["ties"] == {"rule": how.ties, **ties_of(split_by_user(rounds[-1], how))}
    else:
        assert manifest["ties"] is None


def as_shown(text: str) -> str:
    """A spreadsheet would compute text that begins with a minus."""
    return f"'{text}" if text.startswith("-") else text


swipes_of_a_table = st.lists(
    st.builds(
        Swiped,
        user_id=st.integers(-1, 9),
        movie_id=st.integers(1, 7),
        preference=st.integers(-2, 2),
        at=st.integers(-1, 8),
    ),
    max_size=30,
    unique_by=lambda swipe: swipe[:2],
)


@settings(max_examples=20, deadline=None)
@given(st.lists(good_rows, min_size=1, max_size=70), swipes_of_a_table, st.sets(st.integers(-1, 9), max_size=3), ways)
def test_any_swipes_and_forgotten_users_give_what_the_definitions_say(ratings, swipes, forgotten, how):
    """Ids in the raw files are moved by the offset, those of swipes and of forgotten users are not."""
    offset, plain = how.user_offset, replace(how, user_offset=0)
    moved = [rating._replace(user_id=rating.user_id + offset) for rating in ratings]
    swipes = [swipe._replace(user_id=swipe.user_id + offset) for swipe in swipes]
    forgotten = {user_id + offset for user_id in forgotten}

    known = [rating for rating in moved if rating.user_id not in forgotten]
    told = [swipe for swipe in swipes if swipe.user_id not in forgotten]
    good = [swipe for swipe in told if swipe.movie_id <= 6 and swipe.at >= 0]
    standing = merged(known, good, plain)
    rounds = core_rounds(standing, how.min_user_ratings, how.min_movie_ratings)
    with tempfile.TemporaryDirectory() as root:
        workspace = write_raw(Path(root), csv_lines(ratings), movies=6)
        if not rounds[-1]:
            with pytest.raises(EmptyResultError):
                prepare(workspace, how, swipes=swipe_table(swipes), forgotten=forgotten)
            return
        manifest = prepare(workspace, how, swipes=swipe_table(swipes), forgotten=forgotten).manifest.document
        rows = expected_rows(rounds[-1], plain)
        assert split_rows(workspace) == rows
        rejected = rejects(workspace.prepared.rejects)
    reason = {True: "timestamp out of range", False: "unknown movie"}
    assert rejected == [
        ("swipe log", line, as_shown(",".join(map(str, swipe))), reason[swipe.at < 0])
        for line, swipe in enumerate(swipes, 1)
        if swipe in told and swipe not in good
    ]
    latest = {(rating.user_id, rating.movie_id): rating.timestamp for rating in drop_duplicates(known)}
    outdated = [swipe for swipe in good if latest.get(swipe[:2], -1) > swipe.at]
    skips = [swipe for swipe in good if not swipe.preference and swipe not in outdated]
    assert manifest["swipes"] == {
        "standing": len(told),
        "merged": len(good) - len(outdated) - len(skips),
        "skips": len(skips),
        "outdated": len(outdated),
        "rejected": len(told) - len(good),
    }
    assert manifest["steps"][0] == counts("read", moved)
    steps = {step["name"]: step for step in manifest["steps"]}
    assert ("without forgotten users" in steps) == (len(known) < len(ratings))
    if "without forgotten users" in steps:
        assert steps["without forgotten users"] == counts("without forgotten users", known)
    assert steps["deduplicated"] == counts("deduplicated", standing)
    assert sum(manifest["rating_histogram"].values()) == len(ratings)


@pytest.mark.parametrize("division", [{"split": "user-time"}, {"split": "global-time"}, {"ties": "random"}], ids=str)
@pytest.mark.parametrize("seed", [1, 5])
def test_a_crowd_gives_what_the_definitions_say(tmp_path, seed, division):
    how = loose(min_user_ratings=10, min_movie_ratings=15, cut_points=(1.0, 2.5, 4.0), **division)
    ratings = crowd(seed)
    standing = drop_duplicates(ratings)
    rounds = core_rounds(standing, how.min_user_ratings, how.min_movie_ratings)
    assert len(standing) < len(ratings)
    assert len(rounds) > 2
    assert rounds[-1]
    workspace = write_raw(tmp_path, csv_lines(ratings), movies=25)
    manifest = prepare(workspace, how).manifest.document
    assert split_rows(workspace) == expected_rows(rounds[-1], how)
    assert [step["ratings"] for step in manifest["steps"]] == [len(ratings), len(standing), *map(len, rounds)]
    in_core = Counter(rating.movie_id for rating in rounds[-1])
    assert {movie_id: n for movie_id, *_, n in movie_rows(workspace)} == {m: in_core[m] for m in range(1, 26)}


def test_rows_in_another_order_give_the_same_folder(tmp_path):
    ratings = drop_duplicates(crowd(3))
    shuffled = random.Random(3).sample(ratings, len(ratings))
    one, other = (
        write_raw(tmp_path / name, csv_lines(rows), movies=25) for name, rows in (("a", ratings), ("b", shuffled))
    )
    prepare(one, loose())
    prepare(other, loose())
    assert split_rows(one) == split_rows(other)
    assert movie_rows(one) == movie_rows(other)


def test_one_rating_a_user_keeps_every_user(tmp_path):
    workspace = write_raw(tmp_path, [f"{user_id},{user_id % 3 + 1},4.0,5" for user_id in range(60)])
    manifest = prepare(workspace, PrepareSettings(min_user_ratings=1, max_rating=5.0)).manifest.document
    assert manifest["steps"][-1] == {"name": "core round 1", "ratings": 60, "users": 60, "movies": 3}
    assert manifest["splits"] == {"train": 60, "val": 0, "test": 0}


def test_the_user_offset_moves_every_user_and_nothing_else(tmp_path):
    lines = csv_lines(crowd(4))
    plain, moved = write_raw(tmp_path / "a", lines, movies=25), write_raw(tmp_path / "b", lines, movies=25)
    prepare(plain, loose())
    manifest = prepare(moved, loose(user_offset=2**40)).manifest.document
    assert split_rows(moved) == {
        name: [(user_id + 2**40, *rest) for user_id, *rest in rows] for name, rows in split_rows(plain).items()
    }
    assert manifest["settings"]["user_offset"] == 2**40


def test_a_user_id_that_the_offset_pushes_beyond_int64_is_rejected(tmp_path):
    workspace = write_raw(tmp_path, ["1,1,4.0,5", f"{INT64_MAX},1,4.0,5"])
    prepare(workspace, loose(user_offset=1))
    assert split_rows(workspace)["train"] == [(2, 1, 1, 5)]
    assert [reason for *_, reason in rejects(workspace.prepared.rejects)] == ["userId beyond int64"]


# What the quick way cannot hold exactly must send the file the slow way, each by itself.
@pytest.mark.parametrize("user_ids", [[INT64_MAX], [2**53 + 1], [-(2**63), -(2**53) - 1, -1, 0, 2**53 - 1]])
def test_user_ids_of_any_size_stay_what_they_are(tmp_path, user_ids):
    workspace = write_raw(tmp_path, [f"{user_id},1,4.0,5" for user_id in user_ids])
    prepare(workspace, loose())
    assert split_rows(workspace)["train"] == [(user_id, 1, 1, 5) for user_id in user_ids]


@pytest.mark.parametrize("movie_id", [INT64_MAX, 2**53 + 1])
def test_movie_ids_of_any_size_stay_what_they_are(tmp_path, movie_id):
    movies = [f"{movie_id},A (1990),Drama", f"{movie_id - 1},B (1991),Drama"]
    workspace = write_raw(tmp_path, [f"1,{movie_id},4.0,5"], movies)
    prepare(workspace, loose())
    assert split_rows(workspace)["train"] == [(1, movie_id, 1, 5)]


def test_global_time_writes_its_two_moments(tmp_path):
    workspace = write_raw(tmp_path, [f"{t % 2},{t % 5 + 1},4.0,{100 + t}" for t in range(10)])
    assert prepare(workspace, loose(split="global-time")).manifest.moments == Cutoffs(val_from=108, test_from=109)
    assert prepare(workspace, loose()).manifest.moments is None


def test_a_ratio_in_large_numbers_is_the_same_ratio(tmp_path):
    workspace = write_raw(tmp_path, csv_lines(crowd(5, ratings=100)), movies=25)
    prepare(workspace, loose(split="global-time"))
    small = split_rows(workspace)
    prepare(workspace, loose(split="global-time", split_ratio=(800_000_000, 100_000_000, 100_000_000)))
    assert split_rows(workspace) == small
