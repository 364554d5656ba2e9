"""Ids in messages and hints: safe to show, and a shell reads back the same id."""

from __future__ import annotations

import subprocess

import pytest

from mlrec.errors import ForgottenUserError, as_argument, in_shell
from tests.stores import NASTY


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_a_shell_reads_the_id_that_is_shown(text):
    shown = in_shell(text)
    assert shown.isprintable()
    found = subprocess.run(["bash", "-c", f"printf %s {shown}"], check=True, capture_output=True, timeout=60)
    assert found.stdout.decode() == text


@pytest.mark.parametrize(
    ("public_id", "shown"),
    [
        (42, "42"),
        (-3, "-3"),
        ("42", "42"),
        ("tt0111161", "tt0111161"),
        ("a b", "'a b'"),
        ("*", "'*'"),
        ("a\nb", r"$'a\x0ab'"),
        ("it's\t\\", r"$'it\x27s\x09\x5c'"),
        ("\u202e", r"$'\xe2\x80\xae'"),
    ],
)
def test_ids_are_quoted_only_if_they_need_it(public_id, shown):
    assert in_shell(public_id) == shown


def test_an_id_with_a_hyphen_is_not_taken_for_an_option():
    assert as_argument("-n") == "-- -n"
    assert as_argument(-3) == "-- -3"
    assert as_argument("a-n") == "a-n"


def test_the_refusal_of_a_forgotten_user_names_the_user():
    assert ForgottenUserError(42).message == "User 42 has been forgotten, so nothing is stored about them."
    assert ForgottenUserError(42).hint == "To allow storing again: mlrec users allow 42"
    assert ForgottenUserError("a b").message.startswith("User 'a b' has been forgotten")
    assert ForgottenUserError("a b").hint.endswith("mlrec users allow 'a b'")
