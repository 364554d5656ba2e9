"""Suggestions for a command that does not exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_INSTEAD = {"version": ["mlrec --version"], "ratings": ["mlrec history --ratings"]}


def meant(words: Sequence[str], commands: Mapping[str, Any]) -> list[str]:
    """Return the commands that the user may have meant, as one types them. The list may be empty.

    Parameters
    ----------
    words
        The words after `mlrec`.
    commands
        The commands by name. A command that has `commands` of its own is a group.
    """
    first, *rest = words
    if first == "help":
        known = rest[:1] if rest and rest[0] in commands else []
        if known and len(rest) > 1 and rest[1] in getattr(commands[known[0]], "commands", {}):
            known = rest[:2]
        return [" ".join(["mlrec", *known, "--help"])]
    if first in _INSTEAD:
        return _INSTEAD[first]
    in_groups = [f"mlrec {name} {first}" for name, group in commands.items() if first in getattr(group, "commands", {})]
    if in_groups:
        return sorted(in_groups)
    from mlrec.dataset.editions import DEMO, EDITIONS

    return [f"mlrec run {first}"] if first == DEMO or first in EDITIONS else []
