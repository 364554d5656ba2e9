"""mlrec: swipe-style movie recommendation.

Public names are resolved when they are first used, so that importing the package is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlrec.errors import MlrecError as MlrecError
    from mlrec.export import export_vectors as export_vectors
    from mlrec.own_films.importing import import_films as import_films
    from mlrec.own_films.own_replay import replay_user as replay_user
    from mlrec.pipeline import evaluate as evaluate
    from mlrec.pipeline import prepare as prepare
    from mlrec.pipeline import run as run
    from mlrec.pipeline import train as train
    from mlrec.pipeline import update as update
    from mlrec.preferences import Swipe as Swipe
    from mlrec.progress_line import notebook_progress as notebook_progress
    from mlrec.serving.list_filters import ListFilters as ListFilters
    from mlrec.serving.recommender import Recommender as Recommender
    from mlrec.serving.results import Explanation as Explanation
    from mlrec.serving.results import Movie as Movie
    from mlrec.serving.results import Recommendation as Recommendation
    from mlrec.serving.results import SwipeRequest as SwipeRequest
    from mlrec.serving.results import UserState as UserState
    from mlrec.settings import EvaluateSettings as EvaluateSettings
    from mlrec.settings import PrepareSettings as PrepareSettings
    from mlrec.settings import ServeSettings as ServeSettings
    from mlrec.settings import TrainSettings as TrainSettings

_HOMES = {
    "EvaluateSettings": "mlrec.settings",
    "Explanation": "mlrec.serving.results",
    "ListFilters": "mlrec.serving.list_filters",
    "MlrecError": "mlrec.errors",
    "Movie": "mlrec.serving.results",
    "PrepareSettings": "mlrec.settings",
    "Recommendation": "mlrec.serving.results",
    "Recommender": "mlrec.serving.recommender",
    "ServeSettings": "mlrec.settings",
    "Swipe": "mlrec.preferences",
    "SwipeRequest": "mlrec.serving.results",
    "TrainSettings": "mlrec.settings",
    "UserState": "mlrec.serving.results",
    "evaluate": "mlrec.pipeline",
    "export_vectors": "mlrec.export",
    "import_films": "mlrec.own_films.importing",
    "notebook_progress": "mlrec.progress_line",
    "prepare": "mlrec.pipeline",
    "replay_user": "mlrec.own_films.own_replay",
    "run": "mlrec.pipeline",
    "train": "mlrec.pipeline",
    "update": "mlrec.pipeline",
}

__all__ = [
    "EvaluateSettings",
    "Explanation",
    "ListFilters",
    "MlrecError",
    "Movie",
    "PrepareSettings",
    "Recommendation",
    "Recommender",
    "ServeSettings",
    "Swipe",
    "SwipeRequest",
    "TrainSettings",
    "UserState",
    "__version__",
    "evaluate",
    "export_vectors",
    "import_films",
    "notebook_progress",
    "prepare",
    "replay_user",
    "run",
    "train",
    "update",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from mlrec.machine import installed_version

        return installed_version()
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mlrec' has no attribute {name!r}")
