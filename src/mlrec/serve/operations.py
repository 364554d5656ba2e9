"""Is it alive, is it ready, and what does it do: for those who run the service."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response

from mlrec.serve import metrics, problems
from mlrec.serve.models import Live, Ready
from mlrec.serve.requests import Serving, known_parameters, trusted

router = APIRouter(
    tags=["service"], dependencies=[Depends(known_parameters)], responses=problems.responses(400, 421, 422)
)


@router.get("/livez")
async def livez() -> Live:
    """Whether the process answers. If not, start it again."""
    return Live()


@router.get("/readyz", responses={503: {"model": Ready, "description": "Not ready"}})
async def readyz(service: Serving, response: Response) -> Ready:
    """Whether requests should come here: a model is open, the store can be read, and the service is not stopping.

    The store is tried in the background every 5 seconds while somebody asks, so the answer never waits for it.
    """
    service.look_at_store()
    is_ready = not service.store_fault and not service.is_stopping
    response.status_code = 200 if is_ready else 503
    return Ready(
        status="ready" if is_ready else "not ready",
        model_id=None if service.is_stopping else service.recommender.model_id,
        store="failing" if service.store_fault else "ok",
    )


@router.get(
    "/metrics",
    dependencies=[Depends(trusted)],
    response_class=Response,
    responses={
        200: {"content": {metrics.CONTENT_TYPE: {"schema": {"type": "string"}}}, "description": "Metrics"},
        **problems.responses(401, 403, 429, 503),
    },
)
async def prometheus(service: Serving) -> Response:
    """Counts and times in the text format of Prometheus, of all workers together."""
    return Response(service.metrics_page(), media_type=metrics.CONTENT_TYPE)
