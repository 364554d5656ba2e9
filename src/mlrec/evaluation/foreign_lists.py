"""Lists that another system made, evaluated beside the model: the same users, held-out movies and metrics."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.model_folder import Model
from mlrec.artifacts.prepared import IdKinds
from mlrec.dataset.finding import Table
from mlrec.dataset.foreign_lists import ListOrder, ReadLists, read_lists
from mlrec.errors import InputError, SettingsError, shown
from mlrec.evaluation.estimates import holm
from mlrec.evaluation.judging import Judged
from mlrec.evaluation.jury import Jury
from mlrec.ids import public_at, rows_of
from mlrec.plurals import counted
from mlrec.progress import SILENT, Progress
from mlrec.ranking.best_unseen import Seen
from mlrec.ranking.histories import picked, slices

if TYPE_CHECKING:
    from mlrec.evaluation.protocol import Evaluation

_LONGEST_NAME = 60
_BLOCK_USERS = 4096
_ENDINGS = re.compile(
    r"(\.(csv|tsv|txt|dat|parquet|json|jsonl|ndjson|zip|tar|tgz|gz|bz2|xz|zst))+", re.IGNORECASE
)  # fmt: skip
_IN_ORDER_OF: Mapping[ListOrder, str] = {
    "rank": "in order of rank",
    "score": "in order of score",
    "row": "in order of their rows",
}


@dataclass(frozen=True)
class ListsReport:
    """What lists from a file were like, and what was done with them. All numbers but the first four are of the users
    in the figures.

    Attributes
    ----------
    file
        The file.
    ordered_by
        What the order of the lists comes from: "rank", "score" or "row".
    rows
        Number of rows of the file.
    unknown_users
        Number of users in the file whom the model does not know. They were skipped.
    repeated
        Number of rows that were skipped because the same list has the movie already, nearer to the top.
    uneven_ranks
        Number of lists in the file whose ranks are not 1, 2, 3 and so on. Ties were ordered by movie id, and gaps were
        closed.
    users_without_list
        Number of users without a list. It counts as one without a hit, and not at all for what lists are like: novelty,
        diversity and popularity lift.
    known_movies
        Number of movies that were removed from the lists because they are in the known history of their user. The
        movies below moved up, as in every other model's lists.
    outside_core
        Number of movies that were removed in the same way because only movies of the core are listed.
    unknown_movies
        Number of movies in the lists that are not in the catalogue. They keep their rank, as misses.
    short_lists
        Number of lists that are shorter than the largest cutoff after that. A longer list could have more hits.
    """

    file: str
    ordered_by: ListOrder
    rows: int
    unknown_users: int
    repeated: int
    uneven_ranks: int
    users_without_list: int
    known_movies: int
    outside_core: int
    unknown_movies: int
    short_lists: int

    def sentences(self, users: int, k: int) -> list[str]:
        """Say it in words, but nothing of what does not occur. `users` are evaluated, with lists of at most k."""
        said = {
            f"{self.users_without_list:,} of {counted(users, 'user')} have no list, which counts as a list without a"
            " hit.": self.users_without_list,
            f"{counted(self.short_lists, 'list')} {_is(self.short_lists)} shorter than {k}, so recall@{k} is a lower"
            " bound.": self.short_lists,
            f"{counted(self.known_movies, 'listed movie')} {_was(self.known_movies)} known to the user and removed; the"
            " movies below moved up.": self.known_movies,
            f"{counted(self.outside_core, 'listed movie')} {_was(self.outside_core)} outside the core and removed; the"
            " movies below moved up.": self.outside_core,
            f"{counted(self.unknown_movies, 'listed movie')} {_is(self.unknown_movies)} not in the catalogue and stayed"
            " as a miss.": self.unknown_movies,
            f"{counted(self.repeated, 'row')} {_was(self.repeated)} skipped because the list has the movie"
            " already.": self.repeated,
            f"{counted(self.uneven_ranks, 'list')} had ranks with ties or gaps: ties were ordered by movie id, and gaps"
            " were closed.": self.uneven_ranks,
            f"{counted(self.unknown_users, 'user')} of the file {_is(self.unknown_users)} unknown and"
            f" {_was(self.unknown_users)} skipped.": self.unknown_users,
        }
        return [sentence for sentence, number in said.items() if number]


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


@dataclass(frozen=True)
class ForeignLists:
    """Lists by the rows of a model's users and movies.

    Attributes
    ----------
    read
        What was read from the file.
    unknown_users
        Number of users in the file whom the model does not know.
    indptr, movie_idx
        The list of user row i is movie_idx[indptr[i]:indptr[i + 1]], best first, int64 and int32; −1 is a movie that
        the model does not know.
    """

    read: ReadLists
    unknown_users: int
    indptr: NDArray[np.int64]
    movie_idx: NDArray[np.int32]

    @classmethod
    def of(cls, model: Model, read: ReadLists) -> Self:
        """Find the users and movies of a file in a model.

        Raises
        ------
        InputError
            If the model knows none of the users, or none of the movies.
        """
        starts = np.flatnonzero(np.append(True, read.user_id[1:] != read.user_id[:-1]))
        user_idx = rows_of(model.user_ids, read.user_id[starts])
        lengths = np.diff(starts, append=len(read.user_id))
        movie_idx = rows_of(model.movie_ids, read.movie_id)
        for whose, found, theirs, ours in (
            ("users", user_idx, read.user_id, model.user_ids),
            ("movies", movie_idx, read.movie_id, model.movie_ids),
        ):
            if not (found >= 0).any():
                raise InputError(
                    f"{read.label} has none of the {whose} of the data. Its ids are such as"
                    f" {shown(public_at(theirs, 0))}, and those of the data such as {shown(public_at(ours, 0))}.",
                    "Use the ids of the prepared data, as they are in train.parquet.",
                )
        is_known = user_idx >= 0
        indptr = np.zeros(len(model.user_ids) + 1, dtype=np.int64)
        indptr[user_idx[is_known] + 1] = lengths[is_known]  # users ascend in the file as they do in the model
        return cls(
            read,
            unknown_users=int(np.count_nonzero(~is_known)),
            indptr=np.cumsum(indptr),
            movie_idx=movie_idx[np.repeat(is_known, lengths)],
        )

    def listed(
        self, rows: NDArray[np.int64], seen: Seen, n: int, *, listable: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """Return the lists of some users without the movies that they know; a `Lister`.

        Parameters
        ----------
        rows
            User rows, (users,).
        seen
            What these users know.
        n
            Length of the lists.
        listable
            Which movies may be listed, bool (movies,). None: all. The others are removed too.

        Returns
        -------
        ndarray
            Movie rows, int64 (users, n). −1 is a movie that the model does not know, or the end of the list.
        """
        entries = _Entries.of(self, rows, seen, listable)
        ranked = np.full((len(rows), n), -1, dtype=np.int64)
        user, movie = entries.user[entries.is_kept], entries.movie[entries.is_kept]
        place = np.arange(len(user)) - np.searchsorted(user, user)
        ranked[user[place < n], place[place < n]] = movie[place < n]
        return ranked

    def report(self, jury: Jury) -> ListsReport:
        """Count what there is to tell about the lists of the evaluated users."""
        history, k = jury.known.history, max(jury.judge.ks)
        counts = np.zeros(5, dtype=np.int64)
        for block in slices(len(jury.users), _BLOCK_USERS):
            rows = jury.users[block]
            entries = _Entries.of(self, rows, Seen.of(history, rows), jury.listed(jury.known))
            has_list = np.diff(self.indptr)[rows] > 0
            kept = np.bincount(entries.user[entries.is_kept], minlength=len(rows))
            facts = (
                ~has_list,
                entries.is_seen,
                ~entries.is_kept & ~entries.is_seen,
                entries.movie < 0,
                has_list & (kept < k),
            )
            counts += [np.count_nonzero(fact) for fact in facts]
        without_list, known, outside_core, unknown, short = counts.tolist()
        return ListsReport(
            file=self.read.label,
            ordered_by=self.read.ordered_by,
            rows=self.read.rows,
            unknown_users=self.unknown_users,
            repeated=self.read.repeated,
            uneven_ranks=self.read.uneven_ranks,
            users_without_list=without_list,
            known_movies=known,
            outside_core=outside_core,
            unknown_movies=unknown,
            short_lists=short,
        )


@dataclass(frozen=True)
class _Entries:
    """The entries of some users' lists, all (entries,): position of the user, movie row, and what becomes of it."""

    user: NDArray[np.int64]
    movie: NDArray[np.int64]
    is_seen: NDArray[np.bool_]
    is_kept: NDArray[np.bool_]

    @classmethod
    def of(cls, lists: ForeignLists, rows: NDArray[np.int64], seen: Seen, listable: NDArray[np.bool_] | None) -> Self:
        indptr, positions = picked(lists.indptr, rows)
        user = np.repeat(np.arange(len(rows)), np.diff(indptr))
        movie = lists.movie_idx[positions].astype(np.int64)
        span = int(max(movie.max(initial=0), seen.movie_idx.max(initial=0))) + 1
        is_seen = (movie >= 0) & np.isin(user * span + movie, seen.positions * span + seen.movie_idx)
        is_listable = True if listable is None else (movie < 0) | listable[movie]
        return cls(user, movie, is_seen, ~is_seen & is_listable)


def read_all(
    tables: Mapping[str, Table], model: Model, *, taken: Collection[str] = (), progress: Progress = SILENT
) -> dict[str, ForeignLists]:
    """Read the lists of other systems by name; see `dataset.foreign_lists.read_lists`.

    Parameters
    ----------
    tables
        Name → file or data frame.
    model
        Defines the rows of users and movies.
    taken
        Names that other models have in the figures.
    progress
        Reports each step.

    Raises
    ------
    SettingsError
        If a name is taken, or cannot be shown.
    InputError
        If lists cannot be read, or belong to other data.
    """
    for name in tables:
        _require_name(name, taken)
    kinds = IdKinds(model.user_id_kind, model.movie_id_kind)
    return {name: ForeignLists.of(model, read_lists(table, kinds, progress=progress)) for name, table in tables.items()}


def _require_name(name: str, taken: Collection[str]) -> None:
    if name in taken:
        raise SettingsError(
            f"Lists cannot be named {shown(name)}, which is the name of a model in the figures.",
            "Choose another name: --recommendations NAME=FILE",
        )
    if not name.isprintable() or not name.strip() or len(name) > _LONGEST_NAME:
        raise SettingsError(
            f"Lists cannot be named {shown(name)}.",
            f"Choose a name of 1 to {_LONGEST_NAME} printable characters: --recommendations NAME=FILE",
        )


def name_of(file: str) -> str:
    """Return the name of a file without its folders and endings: "lists" for "out/lists.csv.gz"."""
    name = file.rstrip("/").rpartition("/")[2]
    ending = next((found for found in _ENDINGS.finditer(name) if found.end() == len(name)), None)
    return name[: ending.start()] if ending and ending.start() else name


def judged(lists: Mapping[str, ForeignLists], jury: Jury) -> dict[str, Judged]:
    """Evaluate lists by name, as the jury evaluates every model."""
    listable = jury.listed(jury.known)
    return {name: jury.judged(name, partial(own.listed, listable=listable)) for name, own in lists.items()}


def without_lists(evaluation: Evaluation) -> Evaluation:
    """Return an evaluation without the lists of other systems: what is kept with the model."""
    names = evaluation.recommendations.keys()
    pairs = {pair for pair in evaluation.differences if pair.partition(" - ")[2] in names}
    return replace(
        evaluation,
        models={name: own for name, own in evaluation.models.items() if name not in names},
        # Without these comparisons, the correction for their number is another.
        differences=holm({pair: own for pair, own in evaluation.differences.items() if pair not in pairs}),
        segments=[
            replace(part, models={name: own for name, own in part.models.items() if name not in names})
            for part in evaluation.segments
        ],
        recommendations={},
    )


def told(evaluation: Evaluation) -> list[str]:
    """Say what was done with the lists of other systems, one paragraph for each."""
    paragraphs, k = [], max(evaluation.ks)
    for name, report in evaluation.recommendations.items():
        said = [f"{name}: lists of {report.file}, {_IN_ORDER_OF[report.ordered_by]}."]
        said += report.sentences(evaluation.users, k)
        most_have_one = 2 * report.users_without_list < evaluation.users
        if most_have_one and not evaluation.models[name][f"hit_rate@{k}"].value:
            said.append(
                f"No list has a relevant movie. A system that knows the {evaluation.split} split leaves its movies out."
                f" Make the lists from {evaluation.history.replace('+', ' and ')} alone; of mlrec's own model, with"
                " 'mlrec recommend --all-users --include-seen'."
            )
        paragraphs.append(" ".join(said))
    return paragraphs
