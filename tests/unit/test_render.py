"""Tables that are wider than the terminal."""

from __future__ import annotations

from mlrec.cli.render import _parts

COLUMNS = ["model", "#ndcg@10", "#95% interval", "#p"]
ROWS = [["als", "0.1237", "0.108 to 0.140"], ["popularity", "0.0599", "0.049 to 0.072", "0.001"]]


def test_a_table_that_fits_is_one():
    # 10 + 7 + 14 + 5 places, and three gaps of three.
    assert _parts(COLUMNS, ROWS, 1, 45) == [[0, 1, 2, 3]]


def test_a_wider_one_goes_on_below_and_names_its_rows_again():
    assert _parts(COLUMNS, ROWS, 1, 44) == [[0, 1, 2], [0, 3]]
    assert _parts(COLUMNS, ROWS, 1, 30) == [[0, 1], [0, 2], [0, 3]]
    assert _parts(COLUMNS, ROWS, 2, 39) == [[0, 1, 2], [0, 1, 3]]


def test_a_terminal_that_is_too_narrow_for_any_part_gets_one_column_each():
    assert _parts(COLUMNS, ROWS, 1, 5) == [[0, 1], [0, 2], [0, 3]]


def test_wide_characters_count_as_they_are_shown():
    assert _parts(["title", "#n"], [["七人の侍", "1"]], 1, 12) == [[0, 1]]
    assert _parts(["title", "#n", "#m"], [["七人の侍", "1", "2"]], 1, 15) == [[0, 1], [0, 2]]
