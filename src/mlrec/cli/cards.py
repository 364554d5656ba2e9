"""How a swipe session looks, on a screen and as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlrec.cli.render import clipped, out, plain, text
from mlrec.errors import in_shell
from mlrec.plurals import counted
from mlrec.preferences import Swipe

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from mlrec.serving.results import Card, Contribution, Explanation
    from mlrec.serving.swipe import Aside, Effect, Place, SwipeSession

ANSWERS = {
    "like": ("→", "l", Swipe.LIKE),
    "dislike": ("←", "d", Swipe.DISLIKE),
    "superlike": ("↑", "s", Swipe.SUPERLIKE),
    "superdislike": ("↓", "x", Swipe.SUPERDISLIKE),
    "skip": ("space", "o", Swipe.SKIP),
}
"""Name of each answer, with its arrow or key, its letter and its swipe."""
REQUESTS = {
    "not seen": ("n", "put the movie aside for this session; nothing is stored, and it says nothing about your taste"),
    "undo": ("u", "undo the last swipe, or bring back the movie that was put aside"),
    "why": ("w", "see why this movie is shown"),
    "help": ("h", "show all keys"),
    "quit": ("q", "end the session; all swipes are stored"),
}
"""Name of each other request, with its letter and what it does."""

_STYLES = {Swipe.SUPERLIKE: "bold green", Swipe.LIKE: "green", Swipe.SKIP: "dim", Swipe.DISLIKE: "red",
           Swipe.SUPERDISLIKE: "bold red"}  # fmt: skip
PAST = {Swipe.SUPERLIKE: "superliked", Swipe.LIKE: "liked", Swipe.SKIP: "skipped", Swipe.DISLIKE: "disliked",
        Swipe.SUPERDISLIKE: "superdisliked"}  # fmt: skip
"""What a user did, as a verb in the past tense."""
# With fewer lines than this, a window has no room for blank lines.
_LOW = 22
# With fewer lines than this, a window has no room for a frame.
_TIGHT = 14
_BETWEEN_KEYS = "  "
# Columns of a user id in the first line of a screen.
_LONGEST_ID = 40


def match(card: Card) -> str:
    """Return how well a movie matches, in words. A score says little: 0.07 may be the best that a user has left."""
    share = f"top {card.standing.top_percent}% of {card.standing.of:,} movies"
    return f"{share} for you" if card.movie.source == "personal" else share


def reason(card: Card) -> str:
    """Return why a card is shown."""
    if card.because:
        return because(card.because)
    return {"genre": "popular in the genres you asked for", "popular": "popular with everybody"}.get(
        card.movie.source, "fits your taste"
    )


def because(contributions: tuple[Contribution, ...] | list[Contribution]) -> str:
    """Return the likes that speak for a movie, in words."""
    return "because you liked " + ", ".join(like.label for like in contributions)


def moved(place: Place) -> str:
    """Return how a movie reached its rank: ▲2, ▼1, =, new, or back after an undo."""
    if place.rise is None:
        return "back" if place.is_back else "new"
    return f"▲{place.rise}" if place.rise > 0 else f"▼{-place.rise}" if place.rise < 0 else "="


def told(effect: Effect | Aside) -> str:
    """Return what was done, and for a swipe how long it took."""
    if effect.swipe is None:
        return f"back: {effect.title}" if effect.is_back else f"not seen: {effect.title} (put aside; nothing is stored)"
    what = f"{PAST[effect.swipe]} {effect.title}"
    what = f"undone: {what}" if effect.state.undone else what
    return f"{what} (stored and learned in {effect.seconds * 1e3:.1f} ms)"


def summary(session: SwipeSession) -> str:
    """Return a summary of a session, in one line."""
    counts = [
        f"{count} {PAST[swipe]}" for swipe in sorted(session.answers, reverse=True) if (count := session.answers[swipe])
    ]
    undone = sum(effect.state.undone for effect in session.effects)
    if undone:
        counts.append(f"{undone} undone")
    aside = f" {len(session.not_seen)} not seen, of which nothing is stored." if session.not_seen else ""
    if not counts:
        return f"No swipes.{aside}"
    took = sorted(effect.seconds for effect in session.effects)
    middle = took[len(took) // 2] * 1e3
    return f"{', '.join(counts)}; stored and learned in {middle:.1f} ms each (median).{aside}"


# -- on a screen -------------------------------------------------------------------------------------------------------


def screen(session: SwipeSession, card: Card | None, notice: str, width: int, height: int) -> RenderableType:
    """Return the whole screen: card, keys, effect of the last answer.

    In a low window, the first line says what was done, and the end of the list is cut. In an even lower one, the frame
    is left out, and the card is cut so that the keys stay visible.
    """
    from rich.console import Group

    is_low = height < _LOW
    effect = session.effects[-1] if session.effects else None
    last = session.last
    done = text(told(last), style="dim" if last.swipe is None else _STYLES[last.swipe]) if last else None
    warning = text(notice, style="yellow") if notice else None
    first = ((warning or done) if is_low else None) or _header(session)
    first.truncate(width, overflow="ellipsis")
    keys = _keys(width, is_low)
    parts: list[RenderableType] = [first]
    if card is None:
        parts.append(text("No more movies match. Press u to undo or q to quit.", style="bold"))
    elif height < _TIGHT:
        parts += _lines(card, width, height - 1 - len(keys))
    else:
        parts.append(_panel(card, is_low))
    parts += keys
    if warning and not is_low:
        parts += [text(""), warning]
    elif done and not is_low:
        parts += [text(""), done]
    if effect and not warning:
        parts += [text("Your list now:", style="dim"), _places(effect)]
    return Group(*parts)


def _header(session: SwipeSession) -> Text:
    swipes = counted(session.answers.total(), "swipe")
    return text(f"User {clipped(in_shell(session.user_id), _LONGEST_ID)} · {swipes} in this session", style="dim")


def _panel(card: Card, is_low: bool) -> RenderableType:
    from rich.panel import Panel
    from rich.text import Text

    title, *others, why = _told_of(card)
    between = [] if is_low else [text("")]
    return Panel(Text("\n").join([title, others[0], *between, *others[1:], why]), padding=(0, 1) if is_low else (1, 2))


def _told_of(card: Card) -> list[Text]:
    """Return title, genres, match and reason, one line each."""
    return [
        text(card.movie.label, style="bold"),
        text(", ".join(card.movie.genres)),
        text(match(card), style="green"),
        text(reason(card), style="italic"),
    ]


def _lines(card: Card, width: int, most: int) -> list[Text]:
    """Return a card without a frame in at most `most` lines: up to two for the title, the rest for the reason."""
    title, genres, standing, why = _told_of(card)
    lines = [*_wrapped(title, width)[:2], genres, standing]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return [*lines, *_wrapped(why, width)][: max(most, 1)]


def _wrapped(line: Text, width: int) -> list[Text]:
    return list(line.wrap(out(), width))


def _places(effect: Effect) -> RenderableType:
    """Return the list after an answer, and the movies that left it."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right")
    grid.add_column()
    grid.add_column(ratio=1)
    styles = {"▲": "green", "▼": "red", "n": "cyan", "b": "cyan"}
    for place in effect.top:
        arrow = moved(place)
        grid.add_row(text(place.movie.rank), text(arrow, style=styles.get(arrow[0], "dim")), text(place.movie.label))
    for movie in effect.gone:
        grid.add_row(text(""), text("out", style="dim"), text(movie.label, style="dim"))
    return grid


def _keys(width: int, is_low: bool) -> list[Text]:
    """Return all keys with their names, in as many lines as they need. A key and its name stay on one line."""
    from rich.text import Text

    words = [(arrow if is_low else f"{arrow}/{letter}", name) for name, (arrow, letter, _) in ANSWERS.items()]
    words += [(letter, name) for name, (letter, _) in REQUESTS.items()]
    lines = [Text()]
    for key, name in words:
        item = text(key, style="bold").append(f" {name}", style="not bold")
        if lines[-1] and lines[-1].cell_len + len(_BETWEEN_KEYS) + item.cell_len > width:
            lines.append(Text())
        lines[-1].append(_BETWEEN_KEYS if lines[-1] else "").append_text(item)
    return lines


def page(lines: list[str], height: int) -> RenderableType:
    """A page of text in place of the card; in a low window each line is one, and is cut."""
    from rich.text import Text

    is_low = height < _TIGHT
    heading = ["Press any key to go back."] if is_low else ["Press any key to go back.", ""]
    return Text("\n".join([*heading, *map(plain, lines)]), no_wrap=is_low, overflow="ellipsis")


def help_lines() -> list[str]:
    """Return all answers and requests with their keys."""
    lines = [f"{f'{arrow} or {letter}':>10}  {name}" for name, (arrow, letter, _) in ANSWERS.items()]
    return lines + [f"{letter:>10}  {name}: {what}" for name, (letter, what) in REQUESTS.items()]


def why_lines(explanation: Explanation, most: int = 8) -> list[str]:
    """Return the parts of a score, the largest first."""
    lines = [f"{explanation.title}: {explanation.score:.3f}"]
    if explanation.popularity:
        lines.append(f"{explanation.popularity:+.3f}  popularity")
    lines += [
        f"{like.value:+.3f}  you {'liked' if like.preference > 0 else 'disliked'} {like.label}"
        for like in explanation.likes[:most]
    ]
    rest = explanation.likes[most:]
    if rest:
        lines.append(f"{sum(like.value for like in rest):+.3f}  {len(rest)} other likes")
    if explanation.dislikes:
        lines.append("Already included above, the effect of your dislikes:")
        lines += [
            f"{dislike.value:+.3f}  you disliked {dislike.label}" for dislike in explanation.dislikes[: most // 2]
        ]
    return lines
