"""Data sets of every form give exactly the rows of the definitions, whatever two properties meet in a file."""

from __future__ import annotations

import pytest

from tests.matrix.events import crowd
from tests.matrix.files import FACTORS, allowed, forms, write
from tests.matrix.pairwise import pairs_of
from tests.matrix.run import agree

CASES = forms()


def test_every_two_values_that_can_meet_do():
    met = set().union(*(pairs_of(vars(form)) for form in CASES))
    values = [(name, value) for name, options in FACTORS.items() for value in options]
    for one in values:
        for other in values:
            if one[0] < other[0] and frozenset((one, other)) not in met:
                assert not allowed(dict((one, other))), (one, other)


@pytest.mark.parametrize("form", CASES, ids=str)
def test_rows_are_exactly_those_of_the_definitions(form, tmp_path):
    seed = CASES.index(form)
    agree(write(form, crowd(seed), tmp_path, seed=seed), tmp_path / "data")
