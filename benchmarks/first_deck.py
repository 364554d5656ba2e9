"""Which cards teach the model most about a new person, and what the answer "not seen" does to the deck.

    python benchmarks/first_deck.py [--data-dir data] [--seeds 1 2 3 4 5] [--people 0] [--seen-share 0.5] [--by chance]

For each seed, a fifth of the users is kept out of training and plays new people. A part of each one's ratings, by
chance or the first ones by time, is what the person has seen. To a card of these the person answers with the rated
preference, to any other card "not seen". The likes among the other ratings are what the lists should find. So no deck
can use them up: whoever is dealt one of them has not seen it yet.

The first tables compare decks, which deal 80 cards in one session. NDCG@10 is that of the served list on the opinions
so far, of the movies that the person has not seen. So all decks rank the same movies, and only what they have learned
differs. Whatever the deck, lists come from the served rule.

The last tables are of today's deck over four sessions of 20 cards, by what becomes of a movie that the person has not
seen: whether it is dealt again, and whether lists may have it.

Intervals are 95%, over users, of the paired difference to today's deck; * marks what stands after Holm's correction
for the number of decks. Users of the release holdout do not play. docs/decisions/0025 has the tables and what follows.
A seed takes about a minute on the demo data. On a larger set, --people limits how many people play for each seed.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script has only its own folder on the path
from benchmarks.decks import Answers, Deck, Taste, World, decks_of, today
from mlrec.dataset.reading import PreparedData, read_prepared
from mlrec.evaluation.bootstrap import Bootstrap, difference, ratio
from mlrec.evaluation.estimates import Difference, holm
from mlrec.evaluation.holdout import is_held_back
from mlrec.evaluation.metrics import ndcg_at_k
from mlrec.evaluation.replay.arms import ReplayModel, learn_before
from mlrec.evaluation.replay.window import Window
from mlrec.evaluation.wording import interval
from mlrec.ids import rows_of
from mlrec.machine import available_threads, blas_threads
from mlrec.ranking.top_n import top_n
from mlrec.settings import ServeSettings, TrainSettings
from mlrec.workspace import Workspace

K, RESAMPLES = 10, 2_000
HELD_OUT, FEWEST_RATINGS = 0.2, 20
CARDS = (5, 10, 20, 40, 80)
SESSIONS, CARDS_PER_SESSION = 4, 20
FIGURES = ("opinions", "likes", f"NDCG@{K}")

By = Literal["chance", "time"]


@dataclass(frozen=True, eq=False)
class Person:
    """A held-out user as a new person.

    Attributes
    ----------
    user
        Position of the user in the data.
    seen
        The movies that the person has seen, with the preference: movie row → −2, −1, +1 or +2.
    wanted
        The likes that lists should find, movie rows.
    """

    user: int
    seen: Mapping[int, int]
    wanted: NDArray[np.int64]


@dataclass(frozen=True)
class Unseen:
    """What becomes of a movie that the person has not seen.

    Attributes
    ----------
    dealt_again
        Later sessions may deal it again.
    listed
        Lists may have it.
    dislike
        The person presses dislike.
    """

    dealt_again: bool
    listed: bool
    dislike: bool = False


UNSEEN: Mapping[str, Unseen] = {
    "skip (as before the key)": Unseen(dealt_again=False, listed=False),
    "not seen, hidden for the session": Unseen(dealt_again=True, listed=True),
    "not seen, never dealt again": Unseen(dealt_again=False, listed=True),
    "dislike by mistake": Unseen(dealt_again=False, listed=False, dislike=True),
}
SESSION_FIGURES = ("opinions", "dealt before", "likes lost", f"NDCG@{K}")

Found = dict[str, NDArray[np.float64]]
"""Name of a deck or treatment → (people, moments, figures)."""


@dataclass(frozen=True)
class Played:
    """What one seed found.

    Attributes
    ----------
    users
        The users who played, (people,).
    decks, sessions
        The figures of decks, and of today's deck over several sessions.
    bounds
        NDCG without an opinion, and with an opinion on all that has been seen, (people, 2).
    """

    users: NDArray[np.int64]
    decks: Found
    sessions: Found
    bounds: NDArray[np.float64]


def played(data_dir: Path, seed: int, most: int, seen_share: float, by: By) -> Played:
    """Train without a fifth of the users, and let them play."""
    data = read_prepared(Workspace(data_dir))
    users, window = kept_out(data, seed, most)
    model = learn_before(window, data.movies, TrainSettings(random_seed=seed), ServeSettings(), 1)
    world = World.of(model, seed)
    people = list(new_people(window, model, users, seen_share, by, seed))
    with blas_threads():
        decks = {
            name: np.array([one_session(world, one, deck, [seed, place, one.user]) for one in people])
            for place, (name, deck) in enumerate(decks_of(world).items())
        }
        sessions = {
            name: np.array([some_sessions(world, one, unseen) for one in people]) for name, unseen in UNSEEN.items()
        }
        bounds = np.array([bounds_of(world, one) for one in people])
    return Played(np.array([one.user for one in people]), decks, sessions, bounds)


def kept_out(data: PreparedData, seed: int, most: int) -> tuple[NDArray[np.int64], Window]:
    """Draw users with enough ratings, outside of the release holdout; return them and a window without them."""
    events = data.events
    n_ratings = np.bincount(events.user, minlength=len(events.user_ids))
    may_play = np.flatnonzero((n_ratings >= FEWEST_RATINGS) & ~is_held_back(events.user_ids))
    n_users = round(HELD_OUT * np.count_nonzero(n_ratings))
    drawn = np.random.default_rng(seed).permutation(may_play)[:n_users]
    if most:
        drawn = drawn[:most]
    out = np.isin(events.user, drawn)
    return drawn, Window(int(events.timestamp.max()) + 1, events.only(~out), events.only(out))


def new_people(
    window: Window, model: ReplayModel, users: NDArray[np.int64], seen_share: float, by: By, seed: int
) -> Iterator[Person]:
    """Divide each held-out user's ratings into what has been seen and what should be found."""
    events, draw = window.replayed, np.random.default_rng(seed)
    rows = rows_of(model.movie_ids, events.movie_ids)[events.movie]
    for user in users.tolist():
        own = np.flatnonzero((events.user == user) & (rows >= 0))
        order = draw.permutation(own) if by == "chance" else own  # events are in time order
        n_seen = round(seen_share * len(own))
        first, later = order[:n_seen], order[n_seen:]
        wanted = rows[later[events.preference[later] > 0]].astype(np.int64)
        if len(wanted):
            yield Person(user, dict(zip(rows[first].tolist(), events.preference[first].tolist(), strict=True)), wanted)


def one_session(world: World, person: Person, deck: Deck, seed: Sequence[int]) -> list[list[float]]:
    """Deal cards, and return the figures after each number in `CARDS`."""
    answers = Answers(world, np.random.default_rng(seed))
    free = np.ones(len(world.likes), dtype=bool)
    found: list[list[float]] = []
    for n in range(1, CARDS[-1] + 1):
        deal(answers, person, deck, free)
        if n in CARDS:
            likes = sum(one > 0 for one in answers.preferences)
            found.append([len(answers.rows), likes, ndcg(answers.taste, person)])
    return found


def deal(answers: Answers, person: Person, deck: Deck, free: NDArray[np.bool_], *, dislike: bool = False) -> int:
    """Deal the best free card, take the answer to it, and return its row."""
    row = int(np.where(free, deck(answers), -np.inf).argmax())  # equal scores by row, as lists rank
    free[row] = False
    if row in person.seen:
        answers.opinion(row, person.seen[row])
    elif dislike:
        answers.opinion(row, -1)
    else:
        answers.unseen(row)
    return row


def some_sessions(world: World, person: Person, unseen: Unseen) -> list[list[float]]:
    """Deal today's deck in several sessions, and return the figures after each."""
    answers = Answers(world, np.random.default_rng(0))
    found: list[list[float]] = []
    missed: list[int] = []
    free = np.ones(len(world.likes), dtype=bool)
    opinions = again = 0
    for _ in range(SESSIONS):
        if unseen.dealt_again:
            free[missed] = True
        before = set(missed)
        for _ in range(CARDS_PER_SESSION):
            row = deal(answers, person, today, free, dislike=unseen.dislike)
            opinions += row in person.seen
            again += row in before
            if row not in person.seen:
                missed.append(row)
        lost = [] if unseen.listed else missed
        share_lost = float(np.isin(person.wanted, lost).mean())
        found.append([opinions, again, share_lost, ndcg(answers.taste, person, lost)])
    return found


def ndcg(taste: Taste, person: Person, lost: Sequence[int] = ()) -> float:
    """NDCG of the list of movies that the person has not seen, without those that lists may not have."""
    order = taste.scores.order.copy()
    order[[*person.seen, *lost]] = -np.inf
    hits = np.isin(top_n(order, K), person.wanted)[None]
    return float(ndcg_at_k(hits, np.array([len(person.wanted)]), K)[0])


def bounds_of(world: World, person: Person) -> list[float]:
    """NDCG without an opinion, and with all opinions that a deck could get."""
    everything = Taste.of(world, list(person.seen), list(person.seen.values()))
    return [ndcg(Taste.of(world, [], []), person), ndcg(everything, person)]


class Table:
    """Figures of decks beside the first one's, with intervals over users, who may have played in several seeds."""

    def __init__(self, users: NDArray[np.int64], found: Found) -> None:
        ids, self._place = np.unique(users, return_inverse=True)
        self._n, self._found = len(ids), found
        self._times = np.bincount(self._place)
        self._bootstrap = Bootstrap(self._n, RESAMPLES, 0)

    def show(self, title: str, moments: Sequence[int], figure: int, digits: int) -> None:
        """Print a row for each deck and a column for each moment."""
        first = next(iter(self._found))
        leads = [self._leads(first, moment, figure) for moment in range(len(moments))]
        print(f"\n| {title} | {' | '.join(map(str, moments))} |\n|---|{'---|' * len(moments)}")
        for name, own in self._found.items():
            cells = []
            for moment in range(len(moments)):
                value = f"{float(own[:, moment, figure].mean()):.{digits}f}"
                lead = leads[moment].get(name)
                if lead is not None:
                    value += f" ({interval(lead, digits)}){'*' if lead.is_sure else ''}"
                cells.append(value)
            print(f"| {name} | {' | '.join(cells)} |")

    def _leads(self, first: str, moment: int, figure: int) -> dict[str, Difference]:
        sums = {name: self._sums(own[:, moment, figure]) for name, own in self._found.items()}
        drawn = {name: self._bootstrap.ratios(own, self._times) for name, own in sums.items()}
        leads = {}
        for name, own in sums.items():
            if name != first:
                lead = ratio(own, self._times) - ratio(sums[first], self._times)
                leads[name] = {"": difference(lead, drawn[name] - drawn[first])}
        return {name: own[""] for name, own in holm(leads).items()}

    def _sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(self._place, values, self._n).astype(np.float64)


def main() -> None:
    """Let all seeds play, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--people", type=int, default=0, help="at most so many people for each seed; 0: all")
    parser.add_argument("--seen-share", type=float, default=0.5, help="share of the ratings that a person has seen")
    parser.add_argument("--by", choices=["chance", "time"], default="chance", help="which ratings these are")
    arguments = parser.parse_args()
    if not 0 < arguments.seen_share < 1 or not math.isfinite(arguments.seen_share):
        parser.error("--seen-share must be between 0 and 1")
    play = partial(played, arguments.data_dir, most=arguments.people, seen_share=arguments.seen_share, by=arguments.by)
    with ProcessPoolExecutor(min(available_threads(), len(arguments.seeds))) as pool:
        by_seed = list(pool.map(play, arguments.seeds))
    users = np.concatenate([one.users for one in by_seed])
    bounds = np.concatenate([one.bounds for one in by_seed]).mean(axis=0)
    print(f"{len(users):,} people, who are {len(np.unique(users)):,} users, in {len(by_seed)} seeds")
    print(f"NDCG@{K} without an opinion {bounds[0]:.4f}, with an opinion on all that they have seen {bounds[1]:.4f}")
    decks = {name: np.concatenate([one.decks[name] for one in by_seed]) for name in by_seed[0].decks}
    table = Table(users, decks)
    for figure, (name, digits) in enumerate(zip(FIGURES, (2, 2, 4), strict=True)):
        table.show(f"{name} after so many cards", CARDS, figure, digits)
    print(f"\n| cards not seen, % | {' | '.join(map(str, CARDS))} |\n|---|{'---:|' * len(CARDS)}")
    for name, own in decks.items():
        shares = 100 * (1 - own[:, :, 0].mean(axis=0) / np.array(CARDS))
        print(f"| {name} | {' | '.join(f'{share:.0f}' for share in shares)} |")
    sessions = {name: np.concatenate([one.sessions[name] for one in by_seed]) for name in UNSEEN}
    table = Table(users, sessions)
    ends = range(1, SESSIONS + 1)
    for figure, (name, digits) in enumerate(zip(SESSION_FIGURES, (2, 2, 3, 4), strict=True)):
        table.show(f"{name} after so many sessions of {CARDS_PER_SESSION} cards", ends, figure, digits)


if __name__ == "__main__":
    main()
