"""Which names of files say that they belong to a data set, and which of several belong together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from mlrec.dataset.sources import Role

# In the order of preference.
_STEMS: Mapping[Role, tuple[str, ...]] = {
    "ratings": ("ratings", "rating", "interactions", "events"),
    "movies": ("movies", "movie", "items", "item"),
    "links": ("links", "link"),
}
_ENDINGS = (".csv", ".parquet", ".tsv", ".txt", ".jsonl", ".ndjson")
_COMPRESSIONS = ("", ".gz", ".bz2", ".xz", ".zst")
_EARLY: Mapping[Role, str] = {"ratings": "u.data", "movies": "u.item"}


def _spellings(role: Role, endings: Iterable[str]) -> tuple[str, ...]:
    return tuple(
        f"{stem}{ending}{compression}" for stem in _STEMS[role] for ending in endings for compression in _COMPRESSIONS
    )


def _early(role: Role) -> tuple[str, ...]:
    return tuple(f"{_EARLY[role]}{compression}" for compression in _COMPRESSIONS) if role in _EARLY else ()


# Families of files that belong together. In a folder, the first family with ratings and movies counts, or else the
# first with ratings. In the last one, forms are mixed.
_FAMILIES: tuple[Mapping[Role, tuple[str, ...]], ...] = (
    {role: _spellings(role, _ENDINGS) for role in _STEMS},
    {role: _spellings(role, (".dat",)) for role in _STEMS},
    {role: _early(role) for role in _STEMS},
    {role: _spellings(role, (*_ENDINGS, ".dat")) for role in _STEMS},
)
_FILE_NAMES = frozenset(name for family in _FAMILIES for names in family.values() for name in names)
_FOLDER_NAMES: Mapping[Role, tuple[str, ...]] = {
    role: tuple(f"{stem}{ending}" for stem in stems for ending in ("", *_ENDINGS)) for role, stems in _STEMS.items()
}
DATA_ENDINGS = (*_ENDINGS, ".dat", ".data", ".json")
"""Endings of files that may be data, whatever their names."""


def is_data_name(name: str) -> bool:
    """Whether a file or a folder of this name in the raw folder counts as data."""
    return name.lower() in _FILE_NAMES


def has_data_ending(name: str) -> bool:
    """Whether a file of this name may hold data, by its ending alone."""
    name = name.lower()
    for compression in _COMPRESSIONS[1:]:
        name = name.removesuffix(compression)
    return name.endswith(DATA_ENDINGS)


def choose(names: Iterable[str]) -> Mapping[Role, str] | None:
    """The files that belong together among these names, by role; None if there are no ratings. Case does not matter."""
    available = _by_name(names)
    found = [_chosen(available, family) for family in _FAMILIES]
    return next(
        (one for one in found if "ratings" in one and "movies" in one),
        next((one for one in found if "ratings" in one), None),
    )


def choose_folders(names: Iterable[str]) -> Mapping[Role, str]:
    """The folders whose names say that they hold part files, by role."""
    return _chosen(_by_name(names), _FOLDER_NAMES)


def _by_name(names: Iterable[str]) -> dict[str, str]:
    """Names in small letters → the names. Of two that differ only in case, the one in small letters counts."""
    return {PurePosixPath(name).name.lower(): name for name in sorted(names, key=lambda one: (one == one.lower(), one))}


def _chosen(available: Mapping[str, str], options: Mapping[Role, tuple[str, ...]]) -> dict[Role, str]:
    return {
        role: available[next(filter(available.__contains__, names))]
        for role, names in options.items()
        if any(name in available for name in names)
    }
