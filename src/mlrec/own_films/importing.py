"""Importing the films that a person has rated or watched elsewhere: from an export to swipes in the log."""

from __future__ import annotations

import csv
import hashlib
import io
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import IO, Any, Literal, get_args

from mlrec.artifacts import model_folder, registry
from mlrec.artifacts.documents import to_json
from mlrec.artifacts.files import keep_private, write_atomically
from mlrec.artifacts.model_folder import Model
from mlrec.artifacts.report_file import require_replaceable
from mlrec.errors import ForgottenUserError
from mlrec.ids import PublicId
from mlrec.own_films.corrections import NO_CORRECTIONS, Corrections, read_corrections
from mlrec.own_films.matching import FilmFinder, Found, NotFound, Rule
from mlrec.own_films.merging import FilmInExport, Scale, films_of, moments
from mlrec.own_films.rows import SERVICES
from mlrec.own_films.sources import Export, ExportFile, read_export
from mlrec.preferences import Swipe
from mlrec.serving import arguments
from mlrec.serving.served_model import ServedModel
from mlrec.serving.stores import open_store
from mlrec.serving.stores.interface import Draft, Event, SwipeStore
from mlrec.serving.user_views import UserViews
from mlrec.settings import ServeSettings
from mlrec.untrusted_text import for_spreadsheet
from mlrec.workspace import Workspace, as_path

FoundBy = Literal["by hand"] | Rule
FOUND_BY: tuple[FoundBy, ...] = ("by hand", *get_args(Rule))
"""How a film can be found, the surest way first."""

REPORT_HEADER = ("file", "line", "title", "year", "id", "text", "reason", "nearest", "movie_id")
"""The columns of the report of films that were not imported; movie_id is for corrections by hand."""

_DIGITS_OF_KEY = 24


@dataclass(frozen=True)
class NotImported:
    """A row of an export that no swipe was made of.

    Attributes
    ----------
    file, line, text
        The row: its file, its line or the number of its entry, and its content, shortened.
    title, year, id
        The film as the export names it.
    reason
        Why.
    nearest
        Titles of the movies that it could be, or whose titles are nearest, with their ids.
    """

    file: str
    line: int
    text: str
    title: str
    year: int | None
    id: str
    reason: str
    nearest: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImportedFilms:
    """The result of `import_films`.

    Attributes
    ----------
    user_id
        The person.
    dry_run
        Whether nothing was stored; `swipes` and `imported` then say what would be.
    files
        The files that were read.
    films
        Number of films that were rated, liked or seen.
    wanted
        Number of films that are only on a watchlist, which is not an opinion.
    found_by
        Way of finding a film → number of films found, the surest way first.
    swipes
        Name of a swipe → number of new swipes.
    imported
        Number of new swipes.
    already_there
        Number of films that an earlier import has stored.
    undone
        Number of films whose swipe from an earlier import was undone; they stay undone.
    kept
        Number of films without a date, or without a rating, of which the user already has an opinion.
    corrected
        Number of films whose swipes from earlier imports were undone, because they are another movie.
    not_imported
        The rows that cannot be used, or whose film was not found.
    report
        The file that has them, too; None if there are none.
    notes
        What is worth telling about the reading, as sentences.
    """

    user_id: PublicId
    dry_run: bool
    files: tuple[ExportFile, ...]
    films: int
    wanted: int
    found_by: dict[FoundBy, int]
    swipes: dict[str, int]
    imported: int
    already_there: int
    undone: int
    kept: int
    corrected: int
    not_imported: tuple[NotImported, ...]
    report: Path | None
    notes: tuple[str, ...]

    @property
    def found(self) -> int:
        """Number of films that were found."""
        return sum(self.found_by.values())

    @property
    def reasons(self) -> dict[str, int]:
        """Why rows were not imported → how many, the most frequent first."""
        return dict(Counter(row.reason for row in self.not_imported).most_common())

    def to_json(self) -> dict[str, Any]:
        """Return what `mlrec users import --user --json` prints."""
        return to_json(self) | {"found": self.found, "report": None if self.report is None else str(self.report)}


def import_films(
    data_dir: str | PathLike[str] | Workspace,
    source: str | PathLike[str] | IO[bytes],
    user_id: PublicId,
    *,
    scale_to_me: bool = False,
    match: str | PathLike[str] | None = None,
    dry_run: bool = False,
    report: str | PathLike[str] | None = None,
    store: str | PathLike[str] | None = None,
) -> ImportedFilms:
    """Import a person's films from Letterboxd, IMDb, Trakt or Netflix, as `mlrec users import --user` does.

    A rating becomes the swipe that it would be in prepared data: up to 2.5 of five stars a strong dislike, up to 3.5 a
    dislike, up to 4.5 a like, and above a strong like; ten points are halved. A like without a rating is a like. A film
    that was only watched becomes a skip, unless the user has an opinion of it. A watchlist is not an opinion.

    Nothing is fetched from the network. Importing an export twice changes nothing.

    Parameters
    ----------
    data_dir
        The data directory, with a published model.
    source
        The export: a zip archive, a folder or a file; or an open binary file.
    user_id
        The person, known or not.
    scale_to_me
        Use the quarters of the person's own ratings instead of the fixed limits.
    match
        A CSV file of corrections: the report of an earlier import, with the column movie_id filled in.
    dry_run
        Store nothing.
    report
        File for the rows that were not imported. Defaults to `films.rejects.csv` in the data directory.
    store
        The swipe store, as `Recommender.open` takes it. Defaults to `users.db` in the data directory.

    Raises
    ------
    InputError
        If the export or the corrections cannot be read, or no file is one of a known service.
    SettingsError
        If the report would replace anything but an earlier report, or one in which movie ids have been filled in.
    ModelMissingError
        If no model is published.
    ForgottenUserError
        If the user is on the blocklist.
    """
    workspace = data_dir if isinstance(data_dir, Workspace) else Workspace(as_path("data_dir", data_dir))
    model = model_folder.open_model(registry.resolve(workspace))
    user_id = arguments.user_id(user_id, model.user_id_kind)
    corrections = NO_CORRECTIONS if match is None else read_corrections(as_path("match", match), model)
    exported = as_path("source", source) if isinstance(source, str | PathLike) else source
    export = read_export(exported)
    name = None if store is None else str(store)
    path = workspace.film_rejects if report is None else as_path("report", report)
    inputs = [Path(one) for one in (exported, match) if isinstance(one, str | PathLike)]
    with closing(open_store(name, workspace)) as opened:
        require_replaceable(path, REPORT_HEADER, inputs=[*inputs, Path(opened.place)], by_hand="movie_id")
        return _Import(model, opened, user_id, corrections, scale_to_me=scale_to_me).of(
            export, path, is_default=report is None, dry_run=dry_run
        )


class _Import:
    def __init__(
        self, model: Model, store: SwipeStore, user_id: PublicId, corrections: Corrections, *, scale_to_me: bool
    ) -> None:
        self._served = ServedModel(model, ServeSettings())
        self._store = store
        self._user_id = user_id
        self._corrections = corrections
        self._scale_to_me = scale_to_me
        catalogue = model.catalogue
        self._finder = FilmFinder(catalogue.title, catalogue.year, catalogue.imdb_id, catalogue.tmdb_id)
        self._not_imported: list[NotImported] = []

    def of(self, export: Export, report: Path, *, is_default: bool, dry_run: bool) -> ImportedFilms:
        if self._store.head(self._user_id).forgotten:
            raise ForgottenUserError(self._user_id)
        films, bad = films_of(export.rows)
        self._not_imported += [_not_imported(row, row.reason) for row in bad]
        all_films = films
        wanted = [film for film in films if film.row.says == "nothing"]
        films = [film for film in films if film.row.says != "nothing"]
        stars = [film.row.stars for film in films if film.row.stars is not None]
        scale = Scale(stars if self._scale_to_me else None)
        found = self._without_doubles(self._found(films))
        plan = _Plan(self._served, self._store, self._user_id)
        now = int(time.time())
        for film, at in zip(films, moments(films, now), strict=True):
            movie = found.get(film)
            if movie is not None:
                plan.add(film, movie[0], scale.swipe(film.row), at)
            elif self._corrections.knows(film.row.film, film.row.key)[0]:
                plan.withdraw(film)
        if not dry_run and plan.drafts:
            self._store.extend((self._user_id, draft) for draft in plan.drafts)
        rows = sorted(self._not_imported, key=lambda row: (row.file, row.line))
        if rows:
            _write_report(rows, report)
        elif is_default and not dry_run:
            report.unlink(missing_ok=True)  # a report of an earlier import
        by = Counter(rule for _, rule in found.values())
        swipes = Counter(Swipe(draft.preference).label for draft in plan.drafts if not draft.undoes)
        return ImportedFilms(
            user_id=self._user_id,
            dry_run=dry_run,
            files=export.files,
            films=len(films),
            wanted=len(wanted),
            found_by={rule: by[rule] for rule in FOUND_BY if by[rule]},
            swipes={swipe.label: swipes[swipe.label] for swipe in Swipe if swipes[swipe.label]},
            imported=swipes.total(),
            already_there=plan.already_there,
            undone=plan.undone,
            kept=plan.kept,
            corrected=plan.corrected,
            not_imported=tuple(rows),
            report=report if rows else None,
            notes=(*export.notes, *self._corrections.without_film((film.row.film, film.row.key) for film in all_films)),
        )

    def _found(self, films: Iterable[FilmInExport]) -> dict[FilmInExport, tuple[int, FoundBy]]:
        """The movie row of each film that is found, and how; the others are noted."""
        found: dict[FilmInExport, tuple[int, FoundBy]] = {}
        for film in films:
            is_corrected, row = self._corrections.knows(film.row.film, film.row.key)
            if row is not None:
                found[film] = row, "by hand"
                continue
            if is_corrected:
                self._reject(film, "not in the model, by your correction")
                continue
            match self._finder.find(film.row.film):
                case Found(row=row, rule=rule):
                    found[film] = row, rule
                case NotFound(reason=reason, nearest=nearest):
                    self._reject(film, reason, nearest)
        return found

    def _without_doubles(
        self, found: Mapping[FilmInExport, tuple[int, FoundBy]]
    ) -> dict[FilmInExport, tuple[int, FoundBy]]:
        """Drop films that fit a movie less well than another film of the same service; all if none fits best."""
        same: dict[tuple[str, int], list[FilmInExport]] = defaultdict(list)
        for film, (row, _) in found.items():
            same[film.row.service, row].append(film)
        kept = dict(found)
        for (_, row), films in same.items():
            if len(films) == 1:
                continue
            sureness = [FOUND_BY.index(found[film][1]) for film in films]
            best = min(sureness)
            for film, own in zip(films, sureness, strict=True):
                if own > best or sureness.count(best) > 1:
                    del kept[film]
                    self._reject(film, "another film of the export is the same movie", (row,))
        return kept

    def _reject(self, film: FilmInExport, reason: str, nearest: Sequence[int] = ()) -> None:
        labels = tuple(f"{self._served.movie_id(row)}: {self._served.label(row)}" for row in nearest)
        self._not_imported.append(_not_imported(film.row, reason, labels, film.row.key))


class _Plan:
    """The events that an import adds to a user's log.

    Attributes
    ----------
    drafts
        The events: swipes, and tombstones of swipes whose film is another one.
    already_there, undone, kept, corrected
        As in `ImportedFilms`.
    """

    def __init__(self, served: ServedModel, store: SwipeStore, user_id: PublicId) -> None:
        self.drafts: list[Draft] = []
        self.already_there = self.undone = self.kept = self.corrected = 0
        self._served = served
        view = UserViews(store, ServeSettings()).get(served, user_id)
        self._opinions = set(view.history.movie_idx.tolist())
        self._seen = set(view.history.seen.tolist())
        events = store.events(user_id)
        self._undone = {event.undoes for event in events if event.undoes}
        self._earlier: dict[str, list[Event]] = defaultdict(list)
        self._skips: dict[PublicId, int] = {}
        for event in events:
            if event.undoes or (prefix := _prefix(event.idempotency_key)) is None:
                continue
            self._earlier[prefix].append(event)
            if event.preference == 0 and event.event_id not in self._undone:
                self._skips[event.movie_id] = max(event.at, self._skips.get(event.movie_id, 0))

    def add(self, film: FilmInExport, row: int, swipe: Swipe, at: int) -> None:
        """Add the swipe of a film, unless it is there, was undone, or says less than the user's opinion."""
        movie_id, prefix = self._served.movie_id(row), _prefix_of(film)
        earlier = self._earlier.get(prefix, [])
        if earlier:
            last = earlier[-1]
            if last.event_id in self._undone:
                self.undone += 1
                return
            if (last.movie_id, last.preference) == (movie_id, int(swipe)):
                self.already_there += 1
                return
            if last.movie_id != movie_id:
                self.withdraw(film)
            at = max(at, last.at)  # of two swipes at one time, the one logged later counts
        elif (swipe is Swipe.SKIP and row in self._seen) or (film.at is None and row in self._opinions):
            self.kept += 1
            return
        if swipe is not Swipe.SKIP:
            # An import that knew only that the film was seen is no reason to forget the rating.
            at = max(at, self._skips.get(movie_id, at))
        number = f":{len(earlier)}" if earlier else ""
        self.drafts.append(Draft(movie_id, int(swipe), at, idempotency_key=f"{prefix}:{int(swipe)}{number}"))

    def withdraw(self, film: FilmInExport) -> None:
        """Undo the swipes that earlier imports made of a film."""
        alive = [one for one in self._earlier.get(_prefix_of(film), []) if one.event_id not in self._undone]
        self.drafts += [Draft(event.movie_id, 0, event.at, undoes=event.event_id) for event in alive]
        self.corrected += bool(alive)


def _prefix_of(film: FilmInExport) -> str:
    """What the idempotency keys of all swipes from one row of an export begin with."""
    row = film.row
    said = "\n".join(map(str, (film.identity, row.at, row.stars, row.says)))
    return f"{row.service}:{hashlib.sha256(said.encode(errors='surrogatepass')).hexdigest()[:_DIGITS_OF_KEY]}"


def _prefix(key: str | None) -> str | None:
    """The beginning of a key that an import made; None for another key."""
    parts = (key or "").split(":")
    is_ours = len(parts) >= 3 and parts[0] in SERVICES and len(parts[1]) == _DIGITS_OF_KEY
    return ":".join(parts[:2]) if is_ours else None


def _not_imported(row: Any, reason: str, nearest: tuple[str, ...] = (), key: str = "") -> NotImported:
    key = key or row.film.imdb_id or ""
    return NotImported(row.file, row.line, row.text, row.film.title, row.film.year, key, reason, nearest)


def _write_report(rows: Sequence[NotImported], path: Path) -> None:
    text = io.StringIO()
    report = csv.writer(text, lineterminator="\n")
    report.writerow(REPORT_HEADER)
    report.writerows(_cells(rows))

    def write(file: IO[bytes]) -> None:
        keep_private(file.fileno(), path)
        file.write(text.getvalue().encode(errors="replace"))

    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, write)


def _cells(rows: Iterable[NotImported]) -> Iterator[tuple[object, ...]]:
    for row in rows:
        texts = map(for_spreadsheet, (row.title, row.id, row.text, "; ".join(row.nearest)))
        title, key, text, nearest = texts
        yield for_spreadsheet(row.file), row.line, title, row.year or "", key, text, row.reason, nearest, ""
