"""The application of one worker."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from mlrec.errors import MlrecError
from mlrec.machine import installed_version
from mlrec.serve import operations, problems, routes, visitors
from mlrec.serve.gate import Gate
from mlrec.serve.service import Service
from mlrec.settings import ServiceSettings

_DESCRIPTION = """Recommends movies, and learns from every swipe.

Ids are whole numbers or texts, whichever the ids of the data are. In an address, percent-encode a text id. Errors are
`application/problem+json`. Send a swipe again with the same `event_id` if its answer was lost: nothing is stored twice.
"""
_TAGS = [
    {"name": "lists", "description": "What to recommend, and why."},
    {"name": "swipes", "description": "Learning. A swipe is on the disk before its answer is sent."},
    {"name": "users", "description": "What is known of a user."},
    {"name": "movies", "description": "Looking up movies."},
    {"name": "page", "description": "The page to swipe on."},
    {"name": "service", "description": "For those who run the service."},
]


def create_app(settings: ServiceSettings, secret: bytes, rate_table: Path | None = None) -> ASGIApp:
    """Open a model and a store, and return the application that serves them.

    Parameters
    ----------
    settings
        How to serve.
    secret
        What the cookies of sessions on the page are signed with; the same in all workers.
    rate_table
        The file of `RateLimit`, if there is a limit.

    Raises
    ------
    MlrecError
        If there is no model, or the store or the keys cannot be used.
    """
    service = Service(settings, secret, rate_table)
    api = FastAPI(
        title="mlrec",
        version=installed_version(),
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    api.state.service = service
    api.include_router(routes.router)
    api.include_router(operations.router)
    if settings.page:
        api.include_router(visitors.router)
    api.add_exception_handler(RequestValidationError, problems.on_misshapen)
    api.add_exception_handler(MlrecError, problems.on_mlrec_error)
    api.add_exception_handler(HTTPException, problems.on_http_error)
    api.add_exception_handler(Exception, problems.on_bug)
    _complete(api.openapi(), has_keys=service.keys.are_needed)
    api.state.query_parameters = _query_parameters(api)
    app: ASGIApp = Gate(api, service)
    if settings.cors_origins:
        app = CORSMiddleware(
            app,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-API-Key", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After"],
            max_age=600,
        )
    return app


@asynccontextmanager
async def _lifespan(api: FastAPI) -> AsyncIterator[None]:
    await api.state.service.start()
    yield
    await api.state.service.stop()


def _complete(document: dict[str, Any], *, has_keys: bool) -> None:
    """Say in the OpenAPI document that problems are problems, what answers look like, and how keys are sent."""
    examples = json.loads(resources.files("mlrec.serve").joinpath("examples.json").read_text(encoding="utf-8"))
    for operations_of in document["paths"].values():
        for operation in operations_of.values():
            if (example := examples.get(operation["operationId"])) is not None:
                operation["responses"]["200"]["content"]["application/json"]["example"] = example
            for status, response in operation["responses"].items():
                content = response.get("content", {})
                if int(status) >= 400 and problems.MEDIA_TYPE in content:
                    content[problems.MEDIA_TYPE]["schema"] = {"$ref": "#/components/schemas/Problem"}
                    content.pop("application/json", None)
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    if has_keys:
        document["components"]["securitySchemes"] = {
            "key": {"type": "http", "scheme": "bearer", "description": "A key of --api-key-file."}
        }
        document["security"] = [{"key": []}]


def _query_parameters(api: FastAPI) -> dict[tuple[str, str], dict[str, str]]:
    """The query parameters of each route, with their types, as the OpenAPI document has them."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for path, operations_of in api.openapi()["paths"].items():
        for method, operation in operations_of.items():
            found[path, method.upper()] = {
                parameter["name"]: "array" if _is_list(parameter["schema"]) else "single"
                for parameter in operation.get("parameters", ())
                if parameter["in"] == "query"
            }
    return found


def _is_list(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "array" or any(map(_is_list, schema.get("anyOf", ())))
