"""The object that an application holds: a model and a store of swipes. It takes public ids and gives typed results."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from os import PathLike
from threading import Lock, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

import numpy as np

from mlrec.artifacts import model_folder, registry
from mlrec.artifacts.model_folder import Model
from mlrec.errors import (
    ForgottenUserError,
    IdempotencyKeyConflictError,
    MlrecError,
    NothingToUndoError,
    SettingsError,
    StateError,
    StoreUnavailableError,
    in_shell,
    shown,
    unfit,
)
from mlrec.ids import IdKind, PublicId, public_at
from mlrec.preferences import Swipe
from mlrec.progress import SILENT, Progress
from mlrec.progress_line import notebook_progress
from mlrec.ranking.top_n import top_n
from mlrec.serving import arguments
from mlrec.serving.allowed import Allowed
from mlrec.serving.batch import Block, recommend_all
from mlrec.serving.groups import ranked_for_group
from mlrec.serving.history import HistoryEvent, history_of
from mlrec.serving.list_filters import ListFilters, NamedFilters, combined
from mlrec.serving.lists import card_of, dealt, explained, ranked, standing
from mlrec.serving.lists_frame import list_columns, lists_frame
from mlrec.serving.people import RatedMovie, UserPage, UserProfile, page_of_users, profile_of, ratings_of
from mlrec.serving.result_list import ResultList
from mlrec.serving.results import (
    Card,
    Explanation,
    Genre,
    GroupRecommendation,
    ModelSummary,
    Movie,
    Recommendation,
    Standing,
    SwipeRequest,
    UserState,
)
from mlrec.serving.served_model import ServedModel
from mlrec.serving.stores import open_store
from mlrec.serving.stores.damage import misfit
from mlrec.serving.stores.interface import Appended, Draft, Entry, SwipeStore
from mlrec.serving.user_views import UserView, UserViews
from mlrec.settings import (
    DEFAULT_DATA_DIR,
    DEFAULT_GROUP_RULE,
    DEFAULT_TOP_N,
    DEFAULT_USERS,
    GroupRule,
    ServeSettings,
)
from mlrec.workspace import ModelFiles, Workspace, as_path

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)

_UNDO_TRIES = 100
# Most seconds between attempts to open a published model after a failure; the first pause is 2 seconds.
_LONGEST_PAUSE = 60.0


class Recommender:
    """Recommends movies and learns from swipes.

    Create a recommender with `Recommender.open`. Close it after use, or use it as a context manager.

    Several threads may share one recommender, and several processes may share one store. A swipe is logged before the
    call returns, and every later list in any of these processes takes it into account. Each call uses one model from
    beginning to end.
    """

    def __init__(
        self,
        model: Model,
        store: SwipeStore,
        workspace: Workspace | None = None,
        settings: ServeSettings | None = None,
    ) -> None:
        self.settings = settings or ServeSettings()
        self.store = store
        self._workspace = workspace
        self._users = UserViews(store, self.settings)
        self._opened: ServedModel | None = ServedModel(model, self.settings)
        self._users.turn_to(self._opened)
        self._switching = Lock()
        self._next_check = time.monotonic() + self.settings.refresh_seconds
        self._failed_checks = 0

    @classmethod
    def open(
        cls,
        data_dir: str | PathLike[str] = DEFAULT_DATA_DIR,
        *,
        model: str | PathLike[str] | None = None,
        store: str | PathLike[str] | None = None,
        settings: ServeSettings | None = None,
    ) -> Self:
        """Open a model and a store of swipes.

        Parameters
        ----------
        data_dir
            A data directory. Its published model is opened, and its file `users.db` is the store.
        model
            A model folder to open instead. It needs no data directory. Unless `store` is given, swipes are then kept in
            memory only.
        store
            Another store: the path of an SQLite file, relative to the data directory; `redis://host:6379/0`; or
            `memory`.
        settings
            Update rule, handover from popular to personal lists, and more. Defaults to `ServeSettings()`.

        Raises
        ------
        SettingsError
            If an argument has the wrong type.
        ModelMissingError
            If no model is published, or the folder does not contain a model.
        IncompatibleFormatError
            If the model is damaged, or was written by a version of mlrec with another format.
        MissingExtraError
            If the store is a Redis server and the Redis client is not installed.
        """
        if not isinstance(store, str | PathLike | None):
            raise unfit("store", "the name of a store", store)
        if not isinstance(settings, ServeSettings | None):
            raise unfit("settings", "ServeSettings", settings)
        name = None if store is None else str(store)
        seconds = None if settings is None else settings.store_seconds
        if model is not None:
            return cls(
                model_folder.open_model(ModelFiles(as_path("model", model))),
                open_store(name, None, seconds),
                settings=settings,
            )
        workspace = Workspace(as_path("data_dir", data_dir))
        return cls(registry.open_published(workspace), open_store(name, workspace, seconds), workspace, settings)

    def __enter__(self) -> Self:
        """Return the recommender itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the recommender."""
        self.close()

    def close(self) -> None:
        """Release the model and the store.

        Closing twice does no harm. Any other use afterwards raises StateError. The model's files are closed as soon as
        no running call and no other code refers to the model.
        """
        with self._switching:
            self._opened = None
            self._users.turn_to(None)
        self.store.close()

    # -- the model ---------------------------------------------------------------------------------------------------

    @property
    def model_id(self) -> str:
        """Id of the model that makes the recommendations."""
        return self._served().model_id

    @property
    def user_id_kind(self) -> IdKind:
        """What the user ids of the model are: "integer" or "text". Methods take and return ids of this kind."""
        return self._opened_or_error().model.user_id_kind

    @property
    def movie_id_kind(self) -> IdKind:
        """What the movie ids of the model are: "integer" or "text"."""
        return self._opened_or_error().model.movie_id_kind

    def model_summary(self) -> ModelSummary:
        """What is known about the model that makes the recommendations."""
        served = self._served()
        model = served.model
        return ModelSummary(
            model_id=served.model_id,
            created_at=model.info.created_at,
            user_id_kind=model.user_id_kind,
            movie_id_kind=model.movie_id_kind,
            users=len(model.user_ids),
            movies=len(served.movie_ids),
        )

    def refresh(self) -> bool:
        """Switch to the published model if it has changed. Running calls finish on the old one.

        Returns
        -------
        bool
            Whether the model has changed. Always False if one model folder was opened.
        """
        with self._switching:
            served = self._opened_or_error()
            if self._workspace is None or registry.published_id(self._workspace) == served.folder_name:
                return False
            self._opened = ServedModel(registry.open_published(self._workspace), self.settings)
            self._users.turn_to(self._opened)
            return True

    def _opened_or_error(self) -> ServedModel:
        if self._opened is None:
            raise StateError("This recommender is closed.", "Open a new one with Recommender.open.")
        return self._opened

    def _served(self) -> ServedModel:
        """The model for one call. From time to time, check for a newly published model, which a thread then opens."""
        served = self._opened_or_error()
        if self._workspace is not None and time.monotonic() >= self._next_check:
            self._next_check = math.inf  # until this check is over
            try:
                if registry.published_id(self._workspace) != served.folder_name:
                    Thread(target=self._refresh_quietly, name="mlrec-refresh", daemon=True).start()
                else:
                    self._next_check = time.monotonic() + self.settings.refresh_seconds
            except Exception as error:
                self._check_later(error)
        return served

    def _refresh_quietly(self) -> None:
        try:
            self.refresh()
            self._failed_checks = 0
            self._next_check = time.monotonic() + self.settings.refresh_seconds
        except Exception as error:
            self._check_later(error)

    def _check_later(self, error: Exception) -> None:
        """Log a warning and pause the checks. Whatever is wrong with the new model, the current one goes on serving."""
        served = self._opened
        if served is None:  # closed meanwhile
            return
        self._failed_checks += 1
        pause = max(self.settings.refresh_seconds, min(2.0 ** min(self._failed_checks, 10), _LONGEST_PAUSE))
        self._next_check = time.monotonic() + pause
        _log.warning(
            "The newly published model was not opened; model %s goes on serving. Next try in %.0f seconds. Reason: %s",
            served.model_id, pause, error,
            exc_info=None if isinstance(error, MlrecError | OSError) else error,
        )  # fmt: skip

    # -- recommending ------------------------------------------------------------------------------------------------

    def get_top_n(
        self,
        user_id: PublicId,
        n: int = DEFAULT_TOP_N,
        *,
        filters: ListFilters | None = None,
        **named: Unpack[NamedFilters],
    ) -> ResultList[Recommendation]:
        """Recommend movies to a user.

        Parameters
        ----------
        user_id
            Any user, known or not: an `int`, or a `str` if the user ids of the model are texts. A new user gets popular
            movies, spread over genres; with the first opinions the list
            becomes personal. The `source` of each recommendation says where it comes from.
        n
            How many movies, 1 to 1,000,000. The list is shorter if fewer movies are left.
        filters
            Which movies may be listed, and how they are spread; see `ListFilters`. None: all that the user has not
            seen.
        named
            Fields of `ListFilters` as keyword arguments, such as `genres=["Comedy"]`, `only=my_shelf` or
            `max_per_genre=3`. They win over those of `filters`. `include_seen=True` is `seen="show"`.

        Returns
        -------
        list of Recommendation
            Best first; equal scores in the order of movie ids. If the list is empty, its `why_empty` says which filter
            left no movie.

        Raises
        ------
        SettingsError
            If an argument cannot be used: for example, n is below 1, or no movie has one of the genres.
        TypeError
            If no filter has the name of a keyword argument.
        """
        served = self._served()
        allowed = Allowed.by(combined(filters, named), served)
        return ranked(self._view_of(served, user_id), n, allowed)

    def get_top_n_for(
        self,
        user_ids: Iterable[PublicId],
        n: int = DEFAULT_TOP_N,
        *,
        rule: GroupRule = DEFAULT_GROUP_RULE,
        filters: ListFilters | None = None,
        **named: Unpack[NamedFilters],
    ) -> ResultList[GroupRecommendation]:
        """Recommend movies to several people who want to watch one together.

        Movies that any of them has seen are not listed. What any of them dislikes is never listed.

        Parameters
        ----------
        user_ids
            The people, at most 20. Their order does not matter. A single person gets the list of `get_top_n`.
        n
            How many movies, as in `get_top_n`.
        rule
            "multiplicative": the geometric mean of their scores, so that everybody should like the movie. "average":
            the mean of their scores, each person's on the same scale. "least-misery": the lowest of these.
        filters, named
            As in `get_top_n`. With `seen="show"`, movies that some of them have seen are listed too. With
            `seen="only"`, the movies that all of them have seen are listed, and no others.

        Returns
        -------
        list of GroupRecommendation
            Best first, each with what every one of them would say.

        Raises
        ------
        SettingsError
            If an argument cannot be used.
        """
        served = self._served()
        people = arguments.group(user_ids, served.model.user_id_kind)
        allowed = Allowed.by(combined(filters, named), served)
        views = {user_id: self._view_of(served, user_id) for user_id in people}
        return ranked_for_group(views, n, arguments.group_rule(rule), allowed)

    def recommend_for(
        self,
        likes: Iterable[PublicId] = (),
        dislikes: Iterable[PublicId] = (),
        n: int = DEFAULT_TOP_N,
        *,
        filters: ListFilters | None = None,
        **named: Unpack[NamedFilters],
    ) -> ResultList[Recommendation]:
        """Recommend movies to a visitor without an account. Nothing is stored.

        Parameters
        ----------
        likes, dislikes
            Movie ids, at most 10,000 in all. Their order does not matter.
        n, filters, named
            As in `get_top_n`. The liked and disliked movies count as seen.

        Raises
        ------
        UnknownMovieError
            If the model does not know one of the movies.
        SettingsError
            As in `get_top_n`, and if a movie is both liked and disliked.
        """
        served = self._served()
        allowed = Allowed.by(combined(filters, named), served)
        return ranked(self._visitor(served, likes, dislikes), n, allowed)

    def recommend_all(
        self,
        n: int = DEFAULT_TOP_N,
        *,
        filters: ListFilters | None = None,
        progress: Progress = SILENT,
        **named: Unpack[NamedFilters],
    ) -> Iterator[Block]:
        """Recommend movies to every user of the model and of the store, block by block, to compute lists in advance.

        Parameters
        ----------
        n, filters, named
            As in `get_top_n`.
        progress
            Is told how many users are done.

        Yields
        ------
        Block
            The lists of some users as columns, ascending by user id.
        """
        served, n = self._served(), arguments.length(n)
        allowed = Allowed.by(combined(filters, named), served)
        return recommend_all(served, self._users, self.store, n, allowed, progress)

    def similar_movies(self, movie_id: PublicId, n: int = DEFAULT_TOP_N) -> ResultList[Recommendation]:
        """Return the movies most similar to a movie, by their vectors and by which likes go together.

        Parameters
        ----------
        movie_id
            A movie of the model.
        n
            How many movies.

        Returns
        -------
        list of Recommendation
            Most similar first. The score is the cosine of the vectors, −1 to 1, raised by the item-item weights between
            the two movies if the model has them. That of a movie with few likes outside the core is closer to 0,
            because little is known of it. A movie of the core that nobody likes has no vector to compare: then movies
            of the same genres and time are listed.

        Raises
        ------
        UnknownMovieError
            If the model does not know the movie.
        """
        served, n = self._served(), arguments.length(n)
        row = _movie(served, movie_id)
        similarity = served.similarity(row) if served.factor_norms[row] else served.resemblance(row)
        rows = top_n(similarity, n)
        return served.recommendations(rows, similarity[rows], ["similar"] * len(rows))

    def deck(
        self,
        user_id: PublicId,
        n: int = DEFAULT_TOP_N,
        *,
        filters: ListFilters | None = None,
        **named: Unpack[NamedFilters],
    ) -> ResultList[Card]:
        """Return the cards to show a user next: the best movies, each with its place among all and with reasons.

        Parameters
        ----------
        user_id, n, filters, named
            As in `get_top_n`. An app that holds cards in reserve names those that wait for an answer in `exclude`.

        Raises
        ------
        SettingsError
            As in `get_top_n`.
        """
        served = self._served()
        user_id = _user(served, user_id)
        allowed = Allowed.by(combined(filters, named), served)
        return dealt(self._view_of(served, user_id), user_id, n, allowed)

    def card(self, user_id: PublicId, movie: Recommendation) -> Card:
        """Return a movie of a user's list as a card. Raises the errors of `standing`."""
        served = self._served()
        user_id = _user(served, user_id)
        return card_of(self._view_of(served, user_id), user_id, _movie(served, movie.movie_id), movie)

    def standing(self, user_id: PublicId, movie_id: PublicId) -> Standing:
        """Return the rank of a movie for a user among all movies of the model, including seen ones.

        Raises
        ------
        UnknownMovieError
            If the model does not know the movie.
        """
        served = self._served()
        view = self._view_of(served, user_id)
        return standing(view, _movie(served, movie_id))

    def explain(self, user_id: PublicId, movie_id: PublicId) -> Explanation:
        """Explain a user's score for a movie: how much each of the user's opinions adds to it.

        Raises
        ------
        UnknownMovieError
            If the model does not know the movie.
        CannotExplainError
            If the user's vector was not computed by the exact fold-in.
        """
        served = self._served()
        user_id = _user(served, user_id)
        return explained(self._view_of(served, user_id), user_id, _movie(served, movie_id))

    def explain_for(
        self, movie_id: PublicId, likes: Iterable[PublicId] = (), dislikes: Iterable[PublicId] = ()
    ) -> Explanation:
        """Explain the score of a movie in the list of `recommend_for`. Raises the errors of both."""
        served = self._served()
        view = self._visitor(served, likes, dislikes)
        return explained(view, None, _movie(served, movie_id))

    def _view(self, user_id: PublicId) -> UserView:
        return self._view_of(self._served(), user_id)

    def _view_of(self, served: ServedModel, user_id: PublicId) -> UserView:
        return self._users.get(served, _user(served, user_id))

    def _visitor(self, served: ServedModel, likes: Iterable[PublicId], dislikes: Iterable[PublicId]) -> UserView:
        opinions: dict[int, Swipe] = {}
        chosen = arguments.opinions(likes, dislikes, served.model.movie_id_kind)
        for swipe, movie_ids in zip((Swipe.LIKE, Swipe.DISLIKE), chosen, strict=True):
            for movie_id in movie_ids:
                row = served.row_of(movie_id)
                if opinions.setdefault(row, swipe) != swipe:
                    raise SettingsError(
                        f"Movie {shown(movie_id)} is both liked and disliked.",
                        "Name it as liked or as disliked, not both.",
                    )
        rows = np.array(sorted(opinions), dtype=np.int32)
        return self._users.visitor(served, rows, np.array([opinions[row] for row in rows.tolist()], dtype=np.int8))

    # -- learning ----------------------------------------------------------------------------------------------------

    def update_user(
        self,
        user_id: PublicId,
        movie_id: PublicId,
        preference: int | str,
        *,
        at: int | datetime | None = None,
        idempotency_key: str | None = None,
        event_id: str | None = None,
    ) -> UserState:
        """Log a swipe and learn from it.

        When the call returns, the swipe is stored as durably as the store allows.

        Parameters
        ----------
        user_id
            Any user, known or not.
        movie_id
            A movie of the model. Of several opinions of a movie, the latest by `at` is in effect. The log keeps all
            swipes.
        preference
            −2, −1, +1 or +2, or 0 for a skip (seen, no opinion). Or one of the names superdislike, dislike, like,
            superlike and skip.
        at
            When the swipe happened, in epoch seconds or as an aware datetime. By default now, but not before the user's
            latest event, so that the swipe is in effect even if the clock has been set back.
        idempotency_key
            The caller's own id of the swipe, unique per user. Repeating a call with the same key changes nothing, so
            you can safely repeat a call whose reply was lost.
        event_id
            Deprecated: the former name of `idempotency_key`, accepted until 1.0.

        Returns
        -------
        UserState
            The user after the swipe. `in_effect` says whether the swipe is the user's current opinion of the movie.

        Raises
        ------
        UnknownMovieError
            If the model does not know the movie; the hint names movies with similar ids. Nothing is stored.
        SettingsError
            If the preference, the time or the idempotency key cannot be used, or the key is given under both names.
        IdempotencyKeyConflictError
            If the idempotency key was used for another movie or preference.
        ForgottenUserError
            If the user was forgotten.
        StoreUnavailableError
            If the store failed. If it failed in the middle of the call, the swipe may have been stored: repeat the call
            with the same idempotency key.
        IncompatibleFormatError
            If the store, or its data about this user, is damaged.
        """
        served = self._served()
        key = arguments.idempotency_key(idempotency_key, event_id)
        entry = self._entry(served, SwipeRequest(user_id, movie_id, preference, at, key))
        logged = self.store.append(entry.user_id, entry.draft, in_order=entry.in_order)
        assert logged is not None  # the store skips an append only with if_last
        return self._learned(served, entry, logged)

    def update_users(self, swipes: Iterable[SwipeRequest]) -> list[UserState | MlrecError]:
        """Log swipes of any users together and learn from them, which takes less than one after the other.

        The swipes of a user are logged in the given order. When the call returns, they are stored as durably as the
        store allows.

        Returns
        -------
        list of UserState or MlrecError
            For each swipe, the user after all of them, or the error that `update_user` would raise. A swipe that is
            refused does not stop the others. After a `StoreUnavailableError`, the swipe may have been stored: repeat it
            with the same idempotency key.
        """
        served = self._served()
        found: list[UserState | MlrecError | Entry] = []
        for swipe in swipes:
            try:
                found.append(self._entry(served, swipe))
            except MlrecError as error:
                found.append(error)
        entries = [entry for entry in found if isinstance(entry, Entry)]
        try:
            logged = iter(self.store.append_each(entries) if entries else [])
        except StateError as error:
            logged = iter([error] * len(entries))
        return [self._learned_or_error(served, one, next(logged)) if isinstance(one, Entry) else one for one in found]

    def _entry(self, served: ServedModel, swipe: SwipeRequest) -> Entry:
        """Check a swipe for a model, and return the event to log."""
        preference, user_id = Swipe.parse(swipe.preference), _user(served, swipe.user_id)
        movie_id = arguments.movie_id(swipe.movie_id, served.model.movie_id_kind)
        served.row_of(movie_id)  # raises an error if the model does not know the movie
        seconds = self._now(served, user_id) if swipe.at is None else arguments.moment(swipe.at)
        key = arguments.idempotency_key(swipe.idempotency_key, None)
        return Entry(user_id, Draft(movie_id, int(preference), seconds, idempotency_key=key), in_order=swipe.at is None)

    def _now(self, served: ServedModel, user_id: PublicId) -> int:
        """The time now, but not before the user's latest event in the model's data: a clock may have been set back."""
        known = self._users.known_history(served, user_id)
        return max(int(time.time()), int(known.timestamp.max(initial=0)))

    def _learned_or_error(
        self, served: ServedModel, entry: Entry, logged: Appended | StateError
    ) -> UserState | MlrecError:
        if isinstance(logged, StateError):
            return logged
        try:
            return self._learned(served, entry, logged)
        except MlrecError as error:
            return error

    def _learned(self, served: ServedModel, entry: Entry, logged: Appended) -> UserState:
        user_id, draft, _ = entry
        if logged.event[1:3] != draft[:2] or logged.event.undoes:
            raise IdempotencyKeyConflictError(
                f"The idempotency key '{draft.idempotency_key}' was used for another swipe of user"
                f" {in_shell(user_id)}.",
                "Give each swipe its own key.",
            )
        return self._state(served, user_id, logged, draft.movie_id, draft.preference)

    def undo(self, user_id: PublicId, *, idempotency_key: str | None = None, event_id: str | None = None) -> UserState:
        """Undo the user's latest swipe, as if it had never been made.

        The log keeps the swipe, and a tombstone that undoes it.

        Parameters
        ----------
        user_id
            The user.
        idempotency_key
            The caller's own id of the undo, as in `update_user`.
        event_id
            Deprecated: the former name of `idempotency_key`, accepted until 1.0.

        Returns
        -------
        UserState
            The user after the undo. `movie_id` and `preference` are those of the undone swipe.

        Raises
        ------
        NothingToUndoError
            If the log has no swipe of the user that can be undone.
        IdempotencyKeyConflictError, ForgottenUserError, StoreUnavailableError, IncompatibleFormatError
            As in `update_user`.
        """
        served = self._served()
        user_id = _user(served, user_id)
        key = arguments.idempotency_key(idempotency_key, event_id)
        for _ in range(_UNDO_TRIES):
            view = self._users.get(served, user_id)
            if view.head.forgotten:
                raise ForgottenUserError(user_id)
            position = view.log.last_alive()
            if position is None:
                return self._repeated_undo(served, user_id, key)
            undone, preference = (int(column[position]) for column in (view.log.event_id, view.log.preference))
            movie_id = public_at(view.log.movie_id, position)
            draft = Draft(movie_id, 0, self._now(served, user_id), undoes=undone, idempotency_key=key)
            logged = self.store.append(user_id, draft, if_last=view.head.token, in_order=True)
            if logged is None:
                continue  # the user has swiped meanwhile: find the latest swipe again
            if not logged.event.undoes:
                raise IdempotencyKeyConflictError(
                    f"The idempotency key '{key}' was used for a swipe of user {in_shell(user_id)}.",
                    "Give each swipe and each undo its own key.",
                )
            if not logged.is_new:
                return self._undone(served, user_id, logged)
            return self._state(served, user_id, logged, movie_id, preference)
        raise StoreUnavailableError(
            f"Nothing was undone: the latest swipe of user {in_shell(user_id)} changed {_UNDO_TRIES} times during the"
            " attempt.",
            "Another process keeps swiping for this user. Try again when it has stopped.",
        )

    def _repeated_undo(self, served: ServedModel, user_id: PublicId, key: str | None) -> UserState:
        """Answer a call that finds nothing to undo: it may repeat the call that undid the last swipe."""
        for event in self.store.events(user_id):
            if event.undoes and key is not None and event.idempotency_key == key:
                return self._undone(served, user_id, Appended(event, is_new=False))
        raise NothingToUndoError(
            f"User {in_shell(user_id)} has no swipe to undo.",
            f"Show the log: mlrec history --user {in_shell(user_id)}",
        )

    def _undone(self, served: ServedModel, user_id: PublicId, logged: Appended) -> UserState:
        """Answer a repeated undo with the swipe that it undid."""
        swipe = next(iter(self.store.events(user_id, after=logged.event.undoes - 1)), None)
        if swipe is None or swipe.event_id != logged.event.undoes:
            raise misfit(user_id, self.store.place, "an undo refers to a swipe that is missing")
        return self._state(served, user_id, logged, swipe.movie_id, swipe.preference)

    def _state(
        self, served: ServedModel, user_id: PublicId, logged: Appended, movie_id: PublicId, preference: int
    ) -> UserState:
        view = self._users.get(served, user_id)
        return UserState(
            user_id=user_id,
            model_id=served.model_id,
            event_id=logged.event.event_id,
            movie_id=movie_id,
            preference=preference,
            undone=logged.event.undoes > 0,
            is_new=logged.is_new,
            in_effect=bool((view.history.in_effect == logged.event.event_id).any()),
            opinions=len(view.history),
            vector=view.vector,
        )

    def is_forgotten(self, user_id: PublicId) -> bool:
        """Return whether the user is on the blocklist."""
        return self.store.head(_user(self._opened_or_error(), user_id)).forgotten

    def forget_user(self, user_id: PublicId) -> int:
        """Delete a user's log and vector, and put the user on the blocklist: no swipe will be stored again.

        Every recommender on this store then treats the user as a new one, and `mlrec prepare` leaves the user out. A
        model that learned from the user's ratings keeps what it learned until you retrain.

        Returns
        -------
        int
            How many events were deleted.
        """
        return self.store.forget(_user(self._opened_or_error(), user_id), int(time.time()))

    # -- looking up --------------------------------------------------------------------------------------------------

    def history(self, user_id: PublicId) -> ResultList[HistoryEvent]:
        """Return the user's swipes, oldest first, with undone swipes marked.

        For the ratings in the model's data, see `ratings`.
        """
        served = self._served()
        return ResultList(history_of(self.store, _user(served, user_id), served), HistoryEvent)

    def ratings(self, user_id: PublicId) -> ResultList[RatedMovie]:
        """Return the user's ratings in the model's data, oldest first; an empty list for a forgotten user."""
        served = self._served()
        user_id = _user(served, user_id)
        is_forgotten = self.store.head(user_id).forgotten
        return ResultList([] if is_forgotten else ratings_of(served, user_id), RatedMovie)

    def users(self, n: int = DEFAULT_USERS, *, after: PublicId | None = None) -> UserPage:
        """List the users of the model and of the store, ascending by id, without forgotten users.

        Parameters
        ----------
        n
            Most users on a page.
        after
            Start after this user id. For the next page, pass the `next_after` of the last one.
        """
        served, n = self._served(), arguments.length(n)
        after = None if after is None else arguments.user_id(after, served.model.user_id_kind, "after")
        return page_of_users(served, self.store, n, after)

    def user(self, user_id: PublicId) -> UserProfile:
        """Return a summary of a user: counts, times, and the genres that the user likes most."""
        served = self._served()
        user_id = _user(served, user_id)
        return profile_of(self._view_of(served, user_id), self.store, user_id)

    def label_of(self, movie_id: PublicId) -> str:
        """Return title and year of a movie as one text, or its id if the model does not know the movie."""
        served = self._served()
        movie_id = arguments.movie_id(movie_id, served.model.movie_id_kind)
        row = served.model.movie_idx(movie_id)
        return f"movie {shown(movie_id)}" if row is None else served.label(row)

    def knows_user(self, user_id: PublicId) -> bool:
        """Return whether anything is known about the user's taste. Other users get the popular list."""
        return self._view(user_id).has_taste

    def known_movies(self, movie_ids: Iterable[PublicId]) -> list[PublicId]:
        """Return those of some movie ids, at most 100,000, that the model knows, in their order."""
        served = self._served()
        listed = arguments.unchecked_ids("movie_ids", movie_ids, arguments.MOST_ONLY)
        rows = served.known_rows(arguments.movie_ids("movie_ids", listed, served.model.movie_id_kind))
        return [served.movie_id(row) for row in rows.tolist()]

    def movie(self, movie_id: PublicId) -> Movie:
        """Return everything known about a movie.

        Raises
        ------
        UnknownMovieError
            If the model does not know the movie.
        """
        return self._known_movie(movie_id)

    def find_movie(self, text: str) -> Movie:
        """Return the movie with this id or title. The title need not be exact.

        Raises
        ------
        UnknownMovieError
            If no movie matches, or several do.
        """
        served = self._served()
        return served.movie(served.titles.resolve(arguments.text(text)))

    def search(self, text: str, n: int = DEFAULT_TOP_N) -> ResultList[Movie]:
        """Return at most n movies whose titles match a text or, if none do, are similar to it; best match first."""
        served = self._served()
        rows = served.titles.search(arguments.text(text), arguments.length(n))
        return ResultList(map(served.movie, rows), Movie)

    def near_titles(self, text: str, n: int = DEFAULT_TOP_N) -> ResultList[Movie]:
        """Return at most n movies that a misspelt title could mean: a word of theirs is similar to one of the text."""
        served = self._served()
        rows = served.titles.near(arguments.text(text), arguments.length(n))
        return ResultList(map(served.movie, rows), Movie)

    def genres(self) -> ResultList[Genre]:
        """Return the genres of the model's movies, in alphabetical order."""
        served = self._served()
        return ResultList(map(served.genre, served.genre_names), Genre)

    # -- data frames and notebooks -----------------------------------------------------------------------------------

    def movies(self) -> ResultList[Movie]:
        """Return all movies of the model, ascending by id."""
        served = self._served()
        return ResultList(map(served.movie, range(len(served.movie_ids))), Movie)

    def to_frame(
        self,
        user_ids: Iterable[PublicId] | None = None,
        n: int = DEFAULT_TOP_N,
        *,
        filters: ListFilters | None = None,
        progress: Progress | None = None,
        **named: Unpack[NamedFilters],
    ) -> pd.DataFrame:
        """Recommend movies to many users, as a pandas data frame with one row per user and movie.

        Parameters
        ----------
        user_ids
            The users, in the order of the frame. None: every user of the model and of the store, ascending by id.
        n, filters, named
            As in `get_top_n`.
        progress
            Is told how many users are done. None: a bar in a Jupyter notebook, and nothing elsewhere.

        Returns
        -------
        pandas.DataFrame
            Columns user_id, rank, movie_id, title, year, genres, score and source.

        Raises
        ------
        SettingsError
            As in `get_top_n`.
        MissingExtraError
            If pandas is not installed.
        """
        filters = combined(filters, named)
        progress = notebook_progress() if progress is None else progress
        if user_ids is None:
            return lists_frame(map(vars, self.recommend_all(n, filters=filters, progress=progress)), self._known_movie)
        users, blocks = list(user_ids), []
        with progress.task("Recommending", len(users), "users") as task:
            for user_id in users:
                blocks.append(list_columns(user_id, self.get_top_n(user_id, n, filters=filters)))
                task.advance()
        return lists_frame(blocks, self._known_movie)

    def _known_movie(self, movie_id: PublicId) -> Movie:
        served = self._served()
        return served.movie(_movie(served, movie_id))

    def __repr__(self) -> str:
        """Return the model, its size and the store."""
        opened = self._opened
        if opened is None:
            return f"<{type(self).__name__}, closed>"
        users, movies = len(opened.model.user_ids), len(opened.movie_ids)
        return (
            f"<{type(self).__name__} of model {opened.model_id}: {users:,} users, {movies:,} movies;"
            f" swipes in {self.store.place}>"
        )


def _user(served: ServedModel, user_id: object) -> PublicId:
    """Check a user id for a model."""
    return arguments.user_id(user_id, served.model.user_id_kind)


def _movie(served: ServedModel, movie_id: object) -> int:
    """Check a movie id for a model, and return the movie's row."""
    return served.row_of(arguments.movie_id(movie_id, served.model.movie_id_kind))
