"""All-pairs covers: few cases in which every two values of different factors meet at least once."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

Case = dict[str, str]
Pair = frozenset[tuple[str, str]]

_CANDIDATES = 12
_TRIES = 60


def pairs_of(case: Mapping[str, str]) -> set[Pair]:
    """Every two values of a case."""
    return {frozenset(pair) for pair in combinations(sorted(case.items()), 2)}


def cover(
    factors: Mapping[str, Sequence[str]], allowed: Callable[[Mapping[str, str]], bool], seed: int = 14
) -> list[Case]:
    """A cover of all pairs that some allowed case has, the same with every call.

    Each case begins with a pair that is still uncovered and is the best of some random ways to complete it.

    Parameters
    ----------
    factors
        Values by factor.
    allowed
        Whether a case may be. It is also asked about parts of a case, and must then say whether they can be completed.
    """
    chance = random.Random(seed)
    wanted: dict[Pair, None] = {
        frozenset(((one, value), (other, second))): None
        for one, other in combinations(sorted(factors), 2)
        for value in factors[one]
        for second in factors[other]
    }
    cases: list[Case] = []
    while wanted:
        pair = next(iter(wanted))
        found = max(
            _completions(dict(sorted(pair)), factors, allowed, chance),
            key=lambda case: len(pairs_of(case) & wanted.keys()),
            default=None,
        )
        if found is None:
            del wanted[pair]  # no case has it
            continue
        cases.append(found)
        for covered in pairs_of(found):
            wanted.pop(covered, None)
    return cases


def _completions(
    start: Case,
    factors: Mapping[str, Sequence[str]],
    allowed: Callable[[Mapping[str, str]], bool],
    chance: random.Random,
) -> Iterator[Case]:
    """Some allowed cases with these values, drawn at random."""
    found = 0
    for _ in range(_TRIES):
        case = dict(start)
        names = [name for name in factors if name not in case]
        chance.shuffle(names)
        for name in names:
            values = [value for value in factors[name] if allowed({**case, name: value})]
            if not values:
                break
            case[name] = chance.choice(values)
        else:
            if allowed(case):
                found += 1
                yield {name: case[name] for name in factors}
                if found == _CANDIDATES:
                    return
