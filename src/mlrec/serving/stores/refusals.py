"""The errors that all stores raise in the same words."""

from __future__ import annotations

from mlrec.errors import ForgottenUserError


def forgotten_user(user_id: int) -> ForgottenUserError:
    """For a swipe of a user who asked to be forgotten."""
    return ForgottenUserError(
        f"User {user_id} has been forgotten; nothing is stored of them.",
        f"To take them back: mlrec users allow {user_id}",
    )
