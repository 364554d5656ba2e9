"""mlrec swipe: answer movies one by one. Each answer is stored and learned at once."""

import shutil
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlrec.cli import cards, render
from mlrec.cli.commands.recommend import Rule
from mlrec.cli.list_options import FilterOptions, Genres, NotGenres, Only, Years
from mlrec.cli.options import DATA_DIR_DEFAULT, AsJson, DataDir, StoreName, UsageError, examples
from mlrec.cli.public_ids import parse_id
from mlrec.errors import CannotExplainError, NothingToUndoError, SettingsError, in_shell
from mlrec.preferences import Swipe, from_bucket
from mlrec.settings import ServeSettings

if TYPE_CHECKING:
    from mlrec.serving.list_filters import ListFilters
    from mlrec.serving.recommender import Recommender
    from mlrec.serving.results import UserState
    from mlrec.serving.swipe import Aside, Effect, SwipeSession

EXAMPLES = examples(
    "mlrec swipe --user 42",
    "mlrec swipe --user 42 --movie 318 --preference +2",
    'mlrec swipe --user 42 --movie "Toy Story" --preference like --idempotency-key 7f3a',
    "mlrec swipe --user 42 --undo",
    "printf 'like\\ndislike\\nquit\\n' | mlrec swipe --user 42",
)
_KEYS = {
    "right": "like", "left": "dislike", "up": "superlike", "down": "superdislike", "space": "skip", "?": "help",
    **{letter: name for name, (_, letter, _) in cards.ANSWERS.items()},
    **{letter: name for name, (letter, _) in cards.REQUESTS.items()},
}  # fmt: skip
_KNOWN = ", ".join([*cards.ANSWERS, *cards.REQUESTS])
_NOT_SEEN = ("not-seen", "notseen", "unseen")


def swipe(
    user: Annotated[
        str,
        typer.Option("--user", "-u", metavar="ID", help="User id. The model need not know the user."),
    ],
    movie: Annotated[
        str | None,
        typer.Option(
            metavar="MOVIE",
            help="Swipe only this movie (id or title) instead of starting a session. Requires --preference or"
            " --bucket.",
        ),
    ] = None,
    preference: Annotated[
        str | None,
        typer.Option(
            metavar="P",
            help="−2, −1, 0, +1 or +2; or superdislike, dislike, skip (seen, no opinion), like or superlike.",
        ),
    ] = None,
    bucket: Annotated[
        int | None, typer.Option(metavar="1-4", help="The preference as a rating bucket, from 1 (worst) to 4 (best).")
    ] = None,
    at: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="Time of the swipe in epoch seconds. Without it, now.")
    ] = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="Your own id for the swipe. Repeating a call with the same key changes nothing."
        ),
    ] = None,
    event_id: Annotated[str | None, typer.Option(metavar="KEY", hidden=True)] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Undo the swipe that was logged last.")] = False,
    genre: Genres = None,
    not_genre: NotGenres = None,
    years: Years = None,
    only: Only = None,
    rule: Rule = ServeSettings.rule,
    store: StoreName = None,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Swipe through movies one by one. Each answer is stored and learned at once.

    "Not seen" puts a movie aside for this session. It stores nothing and says nothing about your taste. A skip means
    that you have seen the movie and have no opinion, and is stored.

    On a terminal, answer with arrow keys or letters. In a pipe, write one answer per line: like, dislike, superlike,
    superdislike, skip, not seen, undo, why, help or quit. Each answer is stored before the next movie appears, so
    nothing is lost, however a session ends.
    """
    given = _preference(preference, bucket)
    key = _key(idempotency_key, event_id)
    _check_usage(movie, given, undo, at, key)
    if only is not None and str(only) == "-":
        raise UsageError("mlrec swipe reads answers from stdin, so --only needs a file.")
    options = FilterOptions(genre, not_genre, years, only)
    from mlrec.serving.recommender import Recommender

    settings = ServeSettings(rule=rule)
    with Recommender.open(data_dir, store=store, settings=settings) as recommender:
        user_id, filters = parse_id(user, "user", recommender.user_id_kind), options.read(recommender)
        if undo:
            _show_one(recommender, recommender.undo(user_id, idempotency_key=key), filters, as_json)
        elif movie is not None and given is not None:
            meant = recommender.find_movie(movie)
            state = recommender.update_user(user_id, meant.movie_id, int(given), at=at, idempotency_key=key)
            _show_one(recommender, state, filters, as_json)
        else:
            from mlrec.serving.swipe import SwipeSession

            session = SwipeSession(recommender, user_id, filters=filters)
            if session.emptied is not None and not as_json:
                render.line(session.emptied.told(options.called))
            elif _on_terminal() and not as_json:
                _on_screen(session)
            else:
                _in_lines(session, as_json)


def _preference(preference: str | None, bucket: int | None) -> Swipe | None:
    if preference is not None and bucket is not None:
        raise UsageError("Use --preference or --bucket, not both.")
    return Swipe.parse(preference) if preference is not None else from_bucket(bucket) if bucket is not None else None


def _key(key: str | None, former: str | None) -> str | None:
    """Return the idempotency key, whether it was given by the new option or the old one."""
    if former is None:
        return key
    if key is not None:
        raise UsageError("--event-id is the old name of --idempotency-key. Use only one of them.")
    render.warn("--event-id is now called --idempotency-key. The old name will be removed in mlrec 1.0.")
    return former


def _check_usage(movie: str | None, given: Swipe | None, undo: bool, at: int | None, key: str | None) -> None:
    if undo and (movie is not None or given is not None or at is not None):
        raise UsageError("--undo cannot be combined with --movie, --preference, --bucket or --at.")
    if (movie is None) != (given is None):
        raise UsageError(
            "--preference and --bucket require --movie."
            if movie is None
            else "--movie requires --preference or --bucket."
        )
    if movie is None and not undo and (at is not None or key is not None):
        raise UsageError("--at requires --movie. --idempotency-key requires --movie or --undo.")


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and not render.out().is_dumb_terminal


# -- a single swipe ----------------------------------------------------------------------------------------------------


def _show_one(recommender: "Recommender", state: "UserState", filters: "ListFilters", as_json: bool) -> None:
    from mlrec.serving.swipe import TOP

    items = recommender.get_top_n(state.user_id, TOP, filters=filters)
    if as_json:
        render.print_json({**state.to_json(), "items": [item.to_json() for item in items]})
        return
    undone = " (undone)" if state.undone else ""
    again = "" if state.is_new else " (already stored; nothing changed)"
    done = f"{cards.PAST[Swipe(state.preference)]} {recommender.label_of(state.movie_id)}"
    render.line(f"User {in_shell(state.user_id)} {done}{undone}{again}")
    if not (state.undone or state.in_effect):
        render.line(_why_not_in_effect(recommender, state))
    for item in items:
        render.line(f"{item.rank:>4}  {item.label}")


def _why_not_in_effect(recommender: "Recommender", state: "UserState") -> str:
    is_undone = any(event.undone for event in recommender.history(state.user_id) if event.event_id == state.event_id)
    reason = "it was undone" if is_undone else "a later opinion on this movie counts"
    return f"The swipe is stored, but not in effect: {reason}."


# -- a session in lines ------------------------------------------------------------------------------------------------


def _in_lines(session: "SwipeSession", as_json: bool) -> None:
    say = (lambda text: None) if as_json else render.line  # noqa: ARG005
    is_asking = (
        sys.stdin.isatty()
    )  # a person, on a terminal that cannot move the cursor or with output that goes elsewhere
    if is_asking:
        render.err().print(f"Type one answer per line: {_KNOWN}.", style="dim", soft_wrap=True)
    has_card = _tell_card(session, say)
    for number, text in enumerate(sys.stdin if has_card else (), start=1):
        word = text.strip().lower()
        if not word:
            continue
        request = _request(word)
        if request is None:
            if not is_asking:
                raise SettingsError(
                    f"Line {number}: '{word}' is not an answer. The swipes before it are stored.",
                    f"Answers: {_KNOWN}",
                )
            render.warn(f"'{word}' is not an answer. Answers: {_KNOWN}.")
            continue
        if request == "quit":
            break
        if request == "help":
            for line in cards.help_lines():
                say(line)
            continue
        if request == "why":
            for line in _why(session):
                say(line)
            continue
        effect = _do(session, request)
        if isinstance(effect, str):
            render.warn(effect)
            continue
        say(f"   {cards.told(effect)}")
        if effect.swipe is not None:  # otherwise the list is as it was
            say("   now: " + ", ".join(f"{p.movie.rank} {p.movie.label} {cards.moved(p)}" for p in effect.top))
        if not _tell_card(session, say):
            break
    if as_json:
        render.print_json(
            {
                "user_id": session.user_id,
                "model_id": session.recommender.model_id,
                "swipes": [effect.state.to_json() for effect in session.effects],
                "not_seen": list(session.not_seen),
                "items": [movie.to_json() for movie in session.top],
            }
        )
    else:
        say(cards.summary(session))


def _tell_card(session: "SwipeSession", say: Any) -> bool:
    card = session.card
    if card is None:
        say("No more movies match.")
        return False
    number = session.answers.total() + len(session.not_seen) + 1
    parts = (card.movie.label, ", ".join(card.movie.genres), cards.match(card), cards.reason(card))
    say(f"{number}. {' · '.join(filter(None, parts))}")
    return True


def _request(word: str) -> str | None:
    if word in cards.ANSWERS or word in cards.REQUESTS:
        return word
    if word in _KEYS:
        return _KEYS[word]
    if word in _NOT_SEEN:
        return "not seen"
    try:
        return Swipe.parse(word).label
    except SettingsError:
        return None


def _do(session: "SwipeSession", request: str) -> "Effect | Aside | str":
    """Answer, put aside or undo. Returns a text if it cannot be done, which says why."""
    if request == "undo":
        try:
            return session.undo()
        except NothingToUndoError as error:
            return error.message
    if request == "not seen":
        return session.put_aside()
    return session.answer(cards.ANSWERS[request][2])


def _why(session: "SwipeSession") -> list[str]:
    movie = session.movie
    if movie is None:
        return []
    try:
        return cards.why_lines(session.why(movie.movie_id))
    except CannotExplainError as error:
        return [error.message]


# -- a session on a screen ---------------------------------------------------------------------------------------------


def _on_screen(session: "SwipeSession") -> None:
    from mlrec.cli.keys import key_presses

    try:
        with key_presses() as keys, render.out().screen() as screen:
            _swipe_on(session, keys, screen)
    except EOFError:
        return  # the terminal is gone
    finally:
        render.line(cards.summary(session))
    for movie in session.top:
        render.line(f"{movie.rank:>4}  {movie.label}")
    render.note(f"All swipes are stored. To see them: mlrec history --user {in_shell(session.user_id)}")


def _swipe_on(session: "SwipeSession", keys: Any, screen: Any) -> None:
    from rich.control import Control

    notice, size, is_drawn = "", None, False
    page: list[str] | None = None
    card = session.card
    while True:
        now = shutil.get_terminal_size()
        if keys.has_resumed() or size != now:
            render.out().control(Control.clear())
            size, is_drawn = now, False
        if not is_drawn:
            render.out().control(Control.home())
            screen.update(
                cards.page(page, now.lines) if page else cards.screen(session, card, notice, now.columns, now.lines)
            )
            is_drawn = True
        key = keys.next()
        if key is None:
            continue
        is_drawn = False
        if page is not None:
            page = None
            continue
        notice = ""
        request = _KEYS.get(key) or _KEYS.get(key.lower())
        if request == "quit":
            return
        if request == "help":
            page = cards.help_lines()
        elif request == "why":
            page = _why(session)
        elif request is None:
            notice = "Unknown key. Press h for help."
        elif request != "undo" and card is None:
            notice = "There is no movie to answer. Press u to undo or q to quit."
        else:
            effect = _do(session, request)
            notice = effect if isinstance(effect, str) else ""
            card = session.card
