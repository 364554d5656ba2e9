"""What --help shows beside an option: the kind of its value, and nothing beside a flag, which takes none.

Typer writes `<bool>` there, also for its own --help and --install-completion; an empty metavar leaves it out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup, TyperOption

if TYPE_CHECKING:
    _Base = TyperGroup
else:
    _Base = object


class _BareFlags(_Base):
    def get_params(self, ctx: Any) -> list[Any]:
        params = super().get_params(ctx)
        for option in params:
            if isinstance(option, TyperOption) and option.is_bool_flag and option.metavar is None:
                option.metavar = ""
        return params


class Command(_BareFlags, TyperCommand):
    """A command whose flags stand alone in --help."""


class Group(_BareFlags, TyperGroup):
    """A group of commands whose flags stand alone in --help."""
