"""Titles as people say them. MovieLens puts articles last so that titles sort by their first word."""

from __future__ import annotations

import re

_ARTICLE = re.compile(
    "the|an?"  # English; "A" and "Az" are Hungarian articles too
    "|l['’]|les?|la|une?|des"  # French
    "|il|lo|i|gli"  # Italian
    "|el|los?|las|un[ao]?"  # Spanish
    "|d(?:er|ie|as|e[nt]?|a)|eine?"  # German, Scandinavian, Dutch
    "|e[nt]t?|het|een|az|o|os|as|uma?",  # Scandinavian, Dutch, Hungarian, Portuguese
    re.IGNORECASE,
)
_ALIAS = re.compile(r"\s*(?:a\.k\.a\.|aka\b)?\s*", re.IGNORECASE)
_BRACKETS = re.compile(r"([()])")


def spoken(title: str, *, any_case: bool = False) -> str:
    """Return a title with its articles in front: "Postman, The (Postino, Il)" becomes "The Postman (Il Postino)".

    Parameters
    ----------
    title
        The title as in the data. Text in brackets is a title of its own, often the original title.
    any_case
        Whether an article may begin with a lower-case letter, as people type it.
    """
    if "," not in title:
        return title
    if "), " in title:  # "Human Centipede II (Full Sequence), The": the article of the whole title
        turned = _turned(title, any_case)
        if turned != title:
            return turned
    return "".join(_turned(part, any_case) for part in _BRACKETS.split(title))


def _turned(part: str, any_case: bool) -> str:
    name, _, last = part.rpartition(",")
    article = last.strip()
    if not name.strip() or not _ARTICLE.fullmatch(article) or not (any_case or article[0].isupper()):
        return part
    if name.casefold().startswith(f"{article.casefold()},"):  # "Die, Mommie, Die" repeats a word
        return part
    begins = _ALIAS.match(name).end()  # type: ignore[union-attr]  # it also matches the empty string
    gap = "" if article[-1] in "'’" else " "
    behind = last[len(last.rstrip()) :]
    return f"{name[:begins]}{article}{gap}{name[begins:]}{behind}"


def label(title: str, year: int | None) -> str:
    """Return title and year of a movie as one text: "The Matrix (1999)"."""
    return f"{title} ({year})" if year else title
