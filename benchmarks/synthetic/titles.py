"""Titles in all the forms that MovieLens uses, made from word lists. None is intentionally that of a real movie."""

from __future__ import annotations

import numpy as np


def _capitalized(words: str) -> tuple[str, ...]:
    return tuple(word.capitalize() for word in words.split())


SPECIMENS = (
    "Lantern, The ({year})",
    "Rain, Salt, and Tin ({year})",
    '"Midnight" Cartographers, The ({year})',
    "Étoile d'Ambreville, L' ({year})",
    "Ængström & Søn ({year})",
    "Lighthouse of Umihara (海原の灯台) ({year})",
    "Mist over Orlo (a.k.a. Nebbia su Orlo) ({year})",
    "[Hollow] ({year})",
    "1812½: The Ferry ({year})",
    "Harbour Clocks ({year}–{next_year})",
    "Tin Weather ({year}– )",
    "Untitled Ferry Project",
)
"""A title of each kind that a reader of movies.csv must survive; each data set has all of them."""

_ADJECTIVES = _capitalized("""
amber ashen brackish borrowed brittle cobalt copper crooked distant drowsy faded feral fourteenth
gilded hollow hushed inland ivory jagged lacquered leaden lopsided lunar mossy nameless narrow ochre oblique paper
patient pewter quilted reluctant restless rusted saffron salted scarlet seventh sleepless slate sunken tangled tidal
timid twelfth unfinished unlit upright vagrant velvet wandering waxen weathered windward wintry woollen
""")
_NOUNS = _capitalized("""
abacus almanac anvil apiary archivist atlas balcony barometer beekeeper bellows bramble bridge cartographer
chandler chimney clockmaker compass corridor courier cupboard customs ditch drawbridge envelope estuary ferryman
fiddle foundry gazebo glacier granary hammock harvest heron hinge inkwell juniper kettle lacemaker ladder lagoon
lighthouse locksmith loom magpie mapmaker marsh meridian milliner monsoon mosaic nephew orchard parapet parasol
pendulum pilot porcelain postcard quarry quince reservoir saddle semaphore sextant spindle staircase surveyor
tailor teacup telegram threshold thistle tollgate trapeze tributary umbrella viaduct vineyard walnut weaver
windmill zeppelin
""")
_PLACES = _capitalized("""
Almeria Bergamot Calloway Dunmere Eskavale Farrowby Grunholt Hallamshire Isk Jorvane Kestrelmouth Lowmoor
Marrowgate Nantwick Orlo Pellworth Quillan Rookhaven Selkirk Tarn Umihara Valmoree Westering Yarrow
""")
_FOREIGN = (
    ("Château d'Étain", "Le"), ("Dernière Écluse", "La"), ("Crépuscule", "Le"), ("Montaña Salada", "La"),
    ("Niños del Faro", "Los"), ("Brücke nach Süden", "Die"), ("Grüne Mühle", "Die"), ("Città di Stagno", "La"),
    ("Été brisé", "L'"), ("Häxans Fönster", ""), ("Łódź nocą", ""), ("Tři zvony", ""),
)  # fmt: skip
_SIMPLE = ("{a} {n}", "{n} in {p}", "{n} and {m}", "{n}: {a} {m}", "{p}'s {n}", "No {n}, No {m}", "Dr. {p}'s {a} {n}")
_WITH_ARTICLE = ("{a} {n}", "{n} of {p}", "{n}'s {m}", "{n}")

_SHARE_WITH_ARTICLE = 0.25
_SHARE_DEFINITE = 0.8
_SHARE_FOREIGN = 0.04
_SHARE_WITH_TRANSLATION = 0.5
_SHARE_QUOTED = 0.01
_SHARE_WITHOUT_YEAR = 0.001
_SHARE_WITH_YEAR_RANGE = 0.002


def make_titles(years: list[int], rng: np.random.Generator) -> list[str]:
    """Titles for movies of these years, no two alike, with a specimen of each kind at random places."""
    titles: list[str] = []
    used: set[str] = set()
    for year in years:
        name, mark = _name(rng), _year_mark(year, rng)
        sequel = 2
        base, article = _split_article(name)
        while name + mark in used:
            name, sequel = f"{base} {sequel}{article}", sequel + 1
        used.add(name + mark)
        titles.append(name + mark)
    for row, specimen in zip(rng.choice(len(years), len(SPECIMENS), replace=False), SPECIMENS, strict=True):
        titles[row] = specimen.format(year=years[row], next_year=years[row] + 1)
    return titles


def _name(rng: np.random.Generator) -> str:
    kind, detail = rng.random(2)
    a, n, m, p = (words[rng.integers(len(words))] for words in (_ADJECTIVES, _NOUNS, _NOUNS, _PLACES))
    if kind < _SHARE_FOREIGN:
        original, article = _FOREIGN[rng.integers(len(_FOREIGN))]
        original = f"{original} {p}" + (f", {article}" if article else "")
        return f"{a} {n} ({original})" if detail < _SHARE_WITH_TRANSLATION else original
    if kind < _SHARE_FOREIGN + _SHARE_WITH_ARTICLE:
        name = _WITH_ARTICLE[rng.integers(len(_WITH_ARTICLE))].format(a=a, n=n, m=m, p=p)
        article = "The" if detail < _SHARE_DEFINITE else "An" if name[0] in "AEIOU" else "A"
        return f"{name}, {article}"
    if detail < _SHARE_QUOTED:
        a = f'"{a}"'
    return _SIMPLE[rng.integers(len(_SIMPLE))].format(a=a, n=n, m=m, p=p)


def _year_mark(year: int, rng: np.random.Generator) -> str:
    kind = rng.random()
    if kind < _SHARE_WITHOUT_YEAR:
        return ""
    if kind < _SHARE_WITHOUT_YEAR + _SHARE_WITH_YEAR_RANGE:
        return f" ({year}–{year + 1 + int(rng.integers(6))})"
    return f" ({year})"


def _split_article(name: str) -> tuple[str, str]:
    base, comma, article = name.rpartition(", ")
    return (base, comma + article) if article in ("The", "A", "An") else (name, "")
