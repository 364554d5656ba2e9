"""The effective history against its definition, written out plainly."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrec.ranking.effective_history import STRANGER, KnownHistory, SwipeLog, effective_history, with_one_more

MOVIE_IDS = np.array([2, 3, 5, 7, 11, 13], dtype=np.int64)
UNKNOWN = 6  # between two known ids

known_events = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.sampled_from([*MOVIE_IDS.tolist(), UNKNOWN]),
        st.sampled_from([-2, -1, 1, 2]),
        st.booleans(),
    ),
    max_size=6,
    unique_by=lambda event: event[1],
)  # fmt: skip


@st.composite
def logs(draw):
    """(event_id, movie_id, preference, at, undoes) in the order of ids; each undo takes back a swipe made before it."""
    events: list[tuple[int, ...]] = []
    alive: list[int] = []
    for event_id in range(1, draw(st.integers(0, 10)) + 1):
        if alive and draw(st.integers(0, 3)) == 0:
            events.append((event_id, 0, 0, 0, alive.pop(draw(st.integers(0, len(alive) - 1)))))
            continue
        movie = draw(st.sampled_from([*MOVIE_IDS.tolist(), UNKNOWN, 100]))
        events.append((event_id, movie, draw(st.sampled_from([-2, -1, 0, 1, 2])), draw(st.integers(0, 12)), 0))
        alive.append(event_id)
    return events


def known_history(events):
    events = sorted(events)
    rows = [MOVIE_IDS.tolist().index(movie) if movie in MOVIE_IDS else -1 for _, movie, _, _ in events]
    return KnownHistory(
        np.array(rows, dtype=np.int32),
        np.array([p for _, _, p, _ in events], dtype=np.int8),
        np.array([t for t, _, _, _ in events], dtype=np.int64),
        # A model knows every movie that it has learned from.
        np.array([learned and row >= 0 for (_, _, _, learned), row in zip(events, rows, strict=True)], dtype=bool),
    )


def by_definition(events, log):
    undone = {undoes for *_, undoes in log}
    swipes = [event for event in log if event[4] == 0]
    taken_back = {(m, at, p) for i, m, p, at, _ in swipes if i in undone}
    events = [event for event in events if event[1] in MOVIE_IDS and (event[1], event[0], event[2]) not in taken_back]
    latest = {movie: (t, 0, 0, p, learned) for t, movie, p, learned in events}
    for event_id, movie, p, at, _ in swipes:
        if event_id not in undone:
            swiped = (at, 1, event_id, p, True)
            latest[movie] = max(latest.get(movie, swiped), swiped)
    opinions = sorted((t, movie, p) for movie, (t, _, _, p, counts) in latest.items() if counts and p)
    learned_from = {(m, t, p) for t, m, p, learned in events if learned}
    new = [latest[m][1] == 1 and (m, t, p) not in learned_from for t, m, p in opinions]
    return [(m, p) for _, m, p in opinions], new, {movie for movie in latest if movie in MOVIE_IDS}


@given(known_events, logs())
@settings(max_examples=400)
def test_it_is_what_the_definition_says(events, log):
    found = effective_history(known_history(events), SwipeLog().extended(log), MOVIE_IDS)
    opinions, new, seen = by_definition(events, log)
    assert list(zip(found.movie_id.tolist(), found.preference.tolist(), strict=True)) == opinions
    assert found.is_new.tolist() == new
    assert set(MOVIE_IDS[found.seen].tolist()) == seen
    rows = [MOVIE_IDS.tolist().index(m) if m in MOVIE_IDS else -1 for m, _ in opinions]
    assert found.movie_idx.tolist() == rows


@given(known_events, logs(), st.tuples(st.sampled_from([*MOVIE_IDS.tolist(), UNKNOWN]), st.sampled_from([-2, 0, 1])))
@settings(max_examples=400)
def test_one_more_event_gives_what_the_whole_log_gives(events, log, swipe):
    known, later = known_history(events), (len(log) + 1, *swipe, 13, 0)
    for grown in (log, [*log, later]):
        if not grown:
            continue
        one_less, whole = SwipeLog().extended(grown[:-1]), SwipeLog().extended(grown)
        rows = np.array([MOVIE_IDS.tolist().index(m) if m in MOVIE_IDS else -1 for _, m, *_ in grown], dtype=np.int32)
        before, after = (effective_history(known, one, MOVIE_IDS, rows[: len(one)]) for one in (one_less, whole))
        found = with_one_more(before, known, whole, rows)
        if grown[-1] is later and swipe[0] != UNKNOWN and rows[-1] not in before.seen:
            assert found is not None
        if found is None:
            continue
        for name in ("movie_idx", "preference", "is_new", "unknown", "movie_id"):
            assert getattr(found, name).tolist() == getattr(after, name).tolist()
            assert getattr(found, name).dtype == getattr(after, name).dtype
        assert set(found.seen.tolist()) == set(after.seen.tolist())
        assert set(found.in_effect.tolist()) == set(after.in_effect.tolist())
        assert (found.seen.dtype, found.in_effect.dtype) == (after.seen.dtype, after.in_effect.dtype)


@given(logs())
def test_a_log_grows_event_by_event_as_at_once(log):
    at_once = SwipeLog().extended(log)
    grown = SwipeLog()
    for event in log:
        grown = grown.extended([event])
    for name in vars(at_once):
        assert getattr(at_once, name).tolist() == getattr(grown, name).tolist()


def test_the_swipe_that_an_undo_takes_back_is_the_last_one_logged():
    log = SwipeLog().extended([(1, 2, 1, 900, 0), (2, 3, 1, 100, 0), (3, 3, 0, 950, 2)])
    assert log.last_alive() == 0
    assert log.extended([(4, 2, 0, 960, 1)]).last_alive() is None
    assert SwipeLog().last_alive() is None


def test_a_swipe_that_was_merged_into_the_model_is_not_counted_twice():
    known = known_history([(10, 2, 1, True), (11, 3, -2, False)])
    log = SwipeLog().extended([(1, 2, 1, 10, 0), (2, 3, -2, 11, 0)])
    found = effective_history(known, log, MOVIE_IDS)
    assert found.movie_id.tolist() == [2, 3]
    assert found.is_new.tolist() == [False, True]  # the model has not learned from its validation and test parts


def test_nothing_known_and_nothing_swiped_is_nothing():
    found = effective_history(STRANGER, SwipeLog(), MOVIE_IDS)
    assert len(found) == 0
    assert len(found.seen) == 0


def test_an_unknown_movie_between_events_of_one_time_does_not_hide_their_order():
    known = KnownHistory(
        np.array([2, -1, 0], np.int32), np.array([1, 1, 1], np.int8), np.array([5, 5, 5]), np.array([True, False, True])
    )
    log = SwipeLog().extended([(1, 7, 1, 9, 0)])
    rows = np.array([3], np.int32)
    one_more = with_one_more(effective_history(known, SwipeLog(), MOVIE_IDS), known, log, rows)
    assert one_more is not None
    assert one_more.movie_idx.tolist() == [2, 0, 3]
    assert effective_history(known, log, MOVIE_IDS, rows).movie_idx.tolist() == [2, 0, 3]
