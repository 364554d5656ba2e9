"""`mlrec serve`: the service over HTTP, and the page to swipe on.

The room holds no logic of recommendation: a route is a call of `mlrec.Recommender` and a model of its result. What it
needs is the optional extra 'serve', so modules that import it are imported by `serve` alone.
"""

from __future__ import annotations

from collections.abc import Callable

from mlrec.errors import MissingExtraError
from mlrec.settings import ServiceSettings


def serve(settings: ServiceSettings, on_listening: Callable[[str], None]) -> None:
    """Serve until a signal comes. See `mlrec.serve.workers.serve`.

    Raises
    ------
    MissingExtraError
        If the extra 'serve' is not installed.
    """
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("serve", "The service") from error
    from mlrec.serve import workers

    workers.serve(settings, on_listening)
