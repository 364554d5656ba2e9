"""Users who swipe, for tests of learning."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

NEW = 10**9  # a user whom the model does not know


def ids(items) -> list[int]:
    return [item.movie_id for item in items]


def vector_of(rec, user_id):
    return rec._view(user_id).vector


swipes = st.lists(
    st.tuples(st.integers(0, 1302), st.sampled_from([-2, -1, 1, 2])), min_size=1, max_size=25, unique_by=lambda s: s[0]
)
LAWS = settings(max_examples=25, deadline=None)
