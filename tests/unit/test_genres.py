"""Genres in lists of Python or JSON."""

from __future__ import annotations

import pytest

from mlrec.dataset.genres import listed


@pytest.mark.parametrize(
    ("text", "genres"),
    [
        ("['Action', 'Drama']", ["Action", "Drama"]),
        ('["Action", "Children\'s"]', ["Action", "Children's"]),
        ("[{'id': 18, 'name': 'Drama'}, {'id': 1}]", ["Drama"]),
        ('[{"id": 18, "name": "Sci-Fi, Fantasy"}]', ["Sci-Fi, Fantasy"]),
        (" [] ", []),
        ("[' x ', '', 3, None]", ["x"]),
        ("[REC]", None),
        ("['open'", None),
        ("[__import__('os').system('true')]", None),
        ("[" * 5000, None),
        ("['" + "x" * 30_000 + "']", None),
        ("Action", None),
        ("{'a': 1}", None),
    ],
)
def test_listed(text, genres):
    assert listed(text) == genres
