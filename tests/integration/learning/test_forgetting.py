"""Users who are forgotten."""

from __future__ import annotations

import pytest

from mlrec.errors import ForgottenUserError
from tests.integration.learning.users import NEW


def test_a_forgotten_user_is_a_stranger_here_and_elsewhere(rec):
    stranger = rec.get_top_n(NEW)
    rec.update_user(42, 318, 2)
    assert rec.forget_user(42) == 1
    assert rec.get_top_n(42) == stranger
    assert not rec.knows_user(42)
    with pytest.raises(ForgottenUserError):
        rec.update_user(42, 318, 2)
    with pytest.raises(ForgottenUserError):
        rec.undo(42)
    rec.store.allow(42)
    assert rec.knows_user(42)  # by the model's data
    assert rec.history(42) == []


def test_forgetting_and_allowing_between_two_calls_leaves_no_trace(rec):
    rec.update_user(NEW, 318, 2)
    rec.store.forget(NEW, 1)
    rec.store.allow(NEW)
    state = rec.update_user(NEW, 1, 1)
    assert state.opinions == 1
