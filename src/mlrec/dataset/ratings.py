"""The large table of a preparation, the ratings, and what an engine does with it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from mlrec.dataset.sources import RawFile
from mlrec.dataset.ties import Ties
from mlrec.settings import SplitName


class Counts(NamedTuple):
    """How much is left."""

    ratings: int
    users: int
    movies: int


class Ratings(Protocol):
    """The ratings of one preparation, on an engine that holds them.

    What is small is in a DuckDB database whatever the engine: the tables movies, rejects, swipes, judged_swipes and
    forgotten. An implementation reads it there, adds what it finds out, and ends with the table core_movies in it.
    """

    def engine(self) -> dict[str, str]:
        """Name and version of the engine, for the manifest."""

    def read(self, file: RawFile) -> int:
        """Read the ratings file, and judge every row: bad ones go to rejects. Returns the number of all rows."""

    def counts(self) -> Counts:
        """What is left after the last step that changed something; within the core, once that has been begun."""

    def by_value(self) -> list[tuple[float, int]]:
        """How often each rating was given, ascending."""

    def by_day(self) -> list[tuple[int, int]]:
        """How many ratings fall on each day, counted from 1970-01-01 UTC, ascending."""

    def judge_swipes(self) -> None:
        """Decide what becomes of each row of swipes: makes judged_swipes, adds to rejects."""

    def drop_forgotten(self) -> int:
        """Leave out the users in forgotten; makes gone(user_id), those who had ratings, and returns their number."""

    def merge_swipes(self) -> None:
        """Let the judged swipes take the place of earlier ratings."""

    def drop_duplicates(self) -> bool:
        """Keep one rating a user and movie. Returns whether any was there twice."""

    def drop_rare_movies(self) -> int:
        """First half of a round of the core filter. Returns the number of movies left."""

    def drop_rare_users(self) -> int:
        """Second half of a round of the core filter. Returns the number of users left."""

    def split(self) -> None:
        """Sort what is left as events, and decide to which split each belongs."""

    def write_split(self, name: SplitName, path: Path) -> int:
        """Write the events of a split to a Parquet file, or a folder of part files. Returns their number."""

    def ties(self) -> Ties:
        """Which users were cut between events of the same time, after a split of each user's history."""

    def cutoff_times(self) -> tuple[int, int]:
        """Epoch seconds at which validation and test begin, after a global split."""
