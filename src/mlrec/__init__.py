"""mlrec: swipe-style movie recommendation.

The public names are resolved when first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlrec.errors import MlrecError as MlrecError
    from mlrec.serving.recommender import Recommendation as Recommendation
    from mlrec.serving.recommender import Recommender as Recommender

_HOMES = {
    "MlrecError": "mlrec.errors",
    "Recommendation": "mlrec.serving.recommender",
    "Recommender": "mlrec.serving.recommender",
}

__all__ = ["MlrecError", "Recommendation", "Recommender", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("mlrec")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mlrec' has no attribute {name!r}")
