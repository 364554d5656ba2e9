"""A number with its noun, for messages on every floor."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 swipe", "2 swipes"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
