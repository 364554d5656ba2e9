"""Films found by title and year: how many, how many of them wrong, and what each rule gains.

    python benchmarks/matching.py [--data-dir data] [--seeds 1 2 3] [--check 300]

Every film of the catalogue is written as other services write it: the article in front, typographic signs, and each
with its own probability no accents, another title, arabic numerals, "&", no punctuation, a subtitle left out, a year
beside. For each seed, a fifth of the films is taken out of the catalogue: these must not be found. The rules are added
one after the other, and then each is left out of all of them. `--check` prints pairs to check by hand instead: titles
that were found, and that differ from the catalogue's by more than the place of the article. The data directory must
have a model. docs/decisions/0024 has the table.
"""

from __future__ import annotations

import argparse
import random
import re
import unicodedata
from collections.abc import Sequence, Set
from pathlib import Path
from typing import NamedTuple

from mlrec.artifacts import model_folder, registry
from mlrec.own_films.matching import Film, FilmFinder, Found
from mlrec.own_films.title_keys import TITLE_RULES, TitleRule
from mlrec.serving.spoken_titles import spoken
from mlrec.workspace import Workspace

TAKEN_OUT = 0.2
RULES: Sequence[TitleRule] = ("articles", "accents", "punctuation", "numerals", "brackets", "spelling", "subtitles")
NEAR_YEARS = "year off by one"

# How often services differ from the catalogue, where a title allows it. From films that are known by heart, not from
# anybody's export.
NO_ACCENTS, OTHER_TITLE, NUMERALS, AMPERSAND, NO_PUNCTUATION, NO_SUBTITLE, YEAR, SPACES = (
    0.3, 0.3, 0.3, 0.5, 0.1, 0.1, 0.06, 0.02,
)  # fmt: skip

_ARABIC = {"II": "2", "III": "3", "IV": "4", "VI": "6", "VII": "7", "VIII": "8"}
_GROUP = re.compile(r"\s*\((?:a\.k\.a\.\s*)?([^()]*)\)")


class Entry(NamedTuple):
    """A film as an export has it, with its movie row; −1 if it is not in the catalogue."""

    film: Film
    row: int


class Outcome(NamedTuple):
    """Numbers of films that are in the catalogue and not, of those found, and of those found wrongly."""

    there: int
    found: int
    wrong: int
    missing: int
    taken_for_others: int


def main() -> None:
    """Print a row for each set of rules."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--check", type=int, default=0, metavar="N", help="print N pairs to check by hand")
    arguments = parser.parse_args()
    catalogue = model_folder.open_model(registry.resolve(Workspace(Path(arguments.data_dir)))).catalogue
    films = [(title, year) for title, year in zip(catalogue.title, catalogue.year, strict=True) if title]
    if arguments.check:
        print_pairs(films, arguments.check, arguments.seeds[0])
        return
    print(f"{len(films):,} films, {TAKEN_OUT:.0%} taken out, seeds {', '.join(map(str, arguments.seeds))}")
    print(f"{'rules':<28}{'found':>8}{'wrong':>8}{'taken for others':>18}")
    rules: set[TitleRule] = set()
    show("capitals and spaces", films, rules, arguments.seeds, near_years=False)
    for rule in RULES:
        rules.add(rule)
        show(f"+ {rule}", films, rules, arguments.seeds, near_years=False)
    show(f"+ {NEAR_YEARS}: all rules", films, rules, arguments.seeds)
    for rule in RULES:
        show(f"all without {rule}", films, TITLE_RULES - {rule}, arguments.seeds)


def show(
    name: str,
    films: Sequence[tuple[str, int | None]],
    rules: Set[TitleRule],
    seeds: Sequence[int],
    *,
    near_years: bool = True,
) -> None:
    """Judge a set of rules, and print its row."""
    outcomes = [judged(films, rules, seed, near_years=near_years) for seed in seeds]
    there, found, wrong, missing, others = (sum(column) for column in zip(*outcomes, strict=True))
    print(f"{name:<28}{found / there:>8.1%}{wrong / there:>8.2%}{others / missing:>18.2%}", flush=True)


def judged(films: Sequence[tuple[str, int | None]], rules: Set[TitleRule], seed: int, *, near_years: bool) -> Outcome:
    """Look for all films, of which some are taken out of the catalogue."""
    draw = random.Random(seed)
    kept = [film for film in films if draw.random() >= TAKEN_OUT]
    place = {film: row for row, film in enumerate(kept)}
    finder = FilmFinder([title for title, _ in kept], [year for _, year in kept], rules=rules, near_years=near_years)
    counts = [0, 0, 0, 0, 0]
    for title, year in films:
        entry = Entry(as_others_write(title, year, draw), place.get((title, year), -1))
        result = finder.find(entry.film)
        is_there = entry.row >= 0
        counts[0 if is_there else 3] += 1
        if isinstance(result, Found):
            # Two films with one title and year are one to anybody who has nothing else.
            is_right = is_there and kept[result.row] == kept[entry.row]
            counts[1 if is_right else 2 if is_there else 4] += 1
    return Outcome(*counts)


def as_others_write(title: str, year: int | None, draw: random.Random) -> Film:
    """Write a film of the catalogue as an export might."""
    groups = _GROUP.findall(title)
    own = _GROUP.sub("", title).strip() or title
    if groups and draw.random() < OTHER_TITLE:
        own = draw.choice(groups) or own
    own = spoken(own).replace("'", "’")
    if draw.random() < NO_ACCENTS:
        own = "".join(one for one in unicodedata.normalize("NFKD", own) if not unicodedata.combining(one))
    if draw.random() < NUMERALS:
        own = re.sub(r"\b[IVX]+\b", lambda found: _ARABIC.get(found[0], found[0]), own)
    if draw.random() < AMPERSAND:
        own = own.replace(" and ", " & ") if " and " in own else own.replace("&", "and")
    if draw.random() < NO_PUNCTUATION:
        own = re.sub(r"[.,!?:’-]", "", own)
    if draw.random() < SPACES:
        own = own.replace(" ", "", 1) if own.count(" ") > 1 else own
    if ": " in own and draw.random() < NO_SUBTITLE:
        own = own.split(": ")[0]
    if year is not None and draw.random() < YEAR:
        year += draw.choice((-1, 1))
    return Film(own, year)


def print_pairs(films: Sequence[tuple[str, int | None]], n: int, seed: int) -> None:
    """Print titles that were found, with the movie that they were found to be."""
    draw = random.Random(seed)
    kept = [film for film in films if draw.random() >= TAKEN_OUT]
    finder = FilmFinder([title for title, _ in kept], [year for _, year in kept])
    pairs = []
    for title, year in films:
        film = as_others_write(title, year, draw)
        result = finder.find(film)
        if isinstance(result, Found) and spoken(kept[result.row][0]) != film.title:
            title, year = kept[result.row]
            pairs.append(f"{result.rule:<16} {film.title} ({film.year})  →  {title} ({year})")
    for pair in sorted(draw.sample(pairs, min(n, len(pairs)))):
        print(pair)


if __name__ == "__main__":
    main()
