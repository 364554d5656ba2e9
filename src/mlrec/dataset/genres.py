"""Genres that are written as a list of Python or JSON: `['Action', 'Drama']` or `[{'id': 18, 'name': 'Drama'}]`."""

from __future__ import annotations

import ast
import json
from typing import Any

_LONGEST = 20_000


def listed(text: str) -> list[str] | None:
    """The genres in a list of JSON or Python: strings, or objects with a "name". None if the text is no such list.

    Nothing in it is run: `ast.literal_eval` reads constants only.
    """
    if not text.lstrip().startswith("[") or len(text) > _LONGEST:
        return None
    value: Any = None
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text.strip())
            break
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    if not isinstance(value, list):
        return None
    names = [one.get("name") if isinstance(one, dict) else one for one in value]
    return [name.strip() for name in names if isinstance(name, str) and name.strip()]
