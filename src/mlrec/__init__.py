"""mlrec: swipe-style movie recommendation.

The public names are resolved when first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlrec.errors import MlrecError as MlrecError
    from mlrec.preferences import Swipe as Swipe
    from mlrec.serving.recommender import Recommender as Recommender
    from mlrec.serving.results import Explanation as Explanation
    from mlrec.serving.results import Movie as Movie
    from mlrec.serving.results import Recommendation as Recommendation
    from mlrec.serving.results import UserState as UserState
    from mlrec.settings import ServeSettings as ServeSettings

_HOMES = {
    "Explanation": "mlrec.serving.results",
    "MlrecError": "mlrec.errors",
    "Movie": "mlrec.serving.results",
    "Recommendation": "mlrec.serving.results",
    "Recommender": "mlrec.serving.recommender",
    "ServeSettings": "mlrec.settings",
    "Swipe": "mlrec.preferences",
    "UserState": "mlrec.serving.results",
}

__all__ = [
    "Explanation",
    "MlrecError",
    "Movie",
    "Recommendation",
    "Recommender",
    "ServeSettings",
    "Swipe",
    "UserState",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from mlrec.machine import installed_version

        return installed_version()
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mlrec' has no attribute {name!r}")
