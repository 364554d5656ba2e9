"""The protocol of an engine: what `prepare` asks it to do with the ratings, the one large table."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from mlrec.artifacts.prepared import OutsideCore
from mlrec.dataset.forms import Forms
from mlrec.dataset.scales import Scale
from mlrec.dataset.sources import RawFile
from mlrec.dataset.ties import Ties
from mlrec.settings import SplitName


class Counts(NamedTuple):
    """The numbers of ratings, users and movies left."""

    ratings: int
    users: int
    movies: int


class ReadRatings(NamedTuple):
    """The result of reading a ratings file.

    Attributes
    ----------
    rows
        Number of all rows.
    forms
        How the values are written.
    scale
        The scale of the ratings.
    by_value
        As `Ratings.by_value`.
    unrated
        Number of rows that say that a movie was seen, without a rating.
    """

    rows: int
    forms: Forms
    scale: Scale
    by_value: list[tuple[float, int]]
    unrated: int = 0


class OtherForms(Exception):  # noqa: N818  # not an error: the file is read once more
    """The values of a file are written in other ways than its first rows.

    Attributes
    ----------
    forms, scale
        How they are written, and their scale if it is known.
    """

    def __init__(self, forms: Forms, scale: Scale | None) -> None:
        super().__init__(forms, scale)
        self.forms = forms
        self.scale = scale


class Ratings(Protocol):
    """The ratings of one preparation, held by an engine.

    The small tables are in a DuckDB database with either engine: movies, rejects, swipes, judged_swipes and forgotten.
    An implementation reads them there and adds its results. In the end, the database also has the table core_movies.
    """

    def engine(self) -> dict[str, str]:
        """Name and version of the engine, for the manifest."""

    def read(self, file: RawFile, forms: Forms, scale: Scale | None) -> ReadRatings:
        """Read the ratings file and check every row. Bad rows go to rejects.

        Parameters
        ----------
        file
            The file.
        forms
            How its values seem to be written.
        scale
            The scale of its ratings; None if it is still to be recognized.

        Raises
        ------
        OtherForms
            If the values are written otherwise, or the scale does not fit. The caller starts over.
        InputError
            If it cannot be told how they are written.
        """

    def guess(self, file: RawFile) -> Forms:
        """Guess how the values of the ratings file are written."""

    def combine_interactions(self, strong_from: float | None) -> float:
        """Turn the interactions of each user with each movie into one like.

        Parameters
        ----------
        strong_from
            From which sum of the amounts on the like is a strong one; None for twice the median of the sums.

        Returns
        -------
        float
            That sum.
        """

    def make_catalogue(self) -> None:
        """Fill the table movies with the rated movies."""

    def number_texts(self) -> None:
        """Prepare text ids for the steps that follow, once all ratings are there."""

    def counts(self) -> Counts:
        """What is left after the last step that changed the ratings; within the core once the core filter has begun."""

    def by_value(self) -> list[tuple[float, int]]:
        """The number of ratings for each rating value, ascending by value."""

    def by_day(self) -> list[tuple[int, int]]:
        """The number of ratings for each day, ascending; days count from 1970-01-01 UTC. Empty without times."""

    def judge_swipes(self) -> None:
        """Decide what happens to each row of swipes. Creates judged_swipes and adds to rejects."""

    def drop_forgotten(self) -> int:
        """Remove the users in forgotten. Creates gone(user_id), those who had ratings, and returns their number."""

    def merge_swipes(self) -> None:
        """Replace earlier ratings with the judged swipes."""

    def drop_duplicates(self) -> bool:
        """Keep one rating per user and movie. Returns whether there were duplicates."""

    def drop_rare_movies(self) -> int:
        """Run the first half of a round of the core filter. Returns the number of movies left."""

    def drop_rare_users(self) -> int:
        """Run the second half of a round of the core filter. Returns the number of users left."""

    def split(self) -> None:
        """Sort what is left as events, and assign each event to a split, also those outside the core."""

    def write_split(self, name: SplitName, path: Path) -> int:
        """Write the events of a split to a Parquet file or a folder of part files. Returns the number of events."""

    def write_outside(self, path: Path) -> OutsideCore:
        """Write the events outside the core to a Parquet file or a folder of part files. Returns what was written."""

    def ties(self) -> Ties:
        """How many users a split by user-time cut between events of the same time."""

    def cutoff_times(self) -> tuple[int, int]:
        """Epoch seconds at which validation and test begin, after a split by global-time."""
