"""What --help shows next to an option: the type of its value. A flag takes no value, so nothing is shown.

Typer writes `<bool>` next to flags, including its own --help and --install-completion. An empty metavar removes it.
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
    """A command whose --help shows no type next to flags."""


class Group(_BareFlags, TyperGroup):
    """A group of commands whose --help shows no type next to flags."""
