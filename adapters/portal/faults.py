"""Refusal -> status and problem+json, for every route of the portal.

Implements RFC 9457 (problem details) and design F: what is no refusal is a bug, answered 500
without its words. Called by FastAPI through `PortalRoute`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from adapters.http.refusals import BodyTooLarge
from kernel.context import current
from kernel.refusals import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refusal,
    TooMuch,
    Unauthenticated,
    Unavailable,
)

log = logging.getLogger("pianku.portal")
_MAX_BODY: Final = 64 << 10

STATUS: Final[dict[type[Refusal], HTTPStatus]] = {
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    TooMuch: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    Invalid: HTTPStatus.BAD_REQUEST,
    Refusal: HTTPStatus.BAD_REQUEST,
}
"""Branch of the refusal tree -> HTTP status; the first that fits counts."""


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    """Stable word for programs."""
    detail: str = ""


PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem, "description": HTTPStatus(status).phrase}
    for status in (400, 401, 403, 404, 503)
}
"""What every route may answer besides, for OpenAPI."""


class PortalRoute(APIRoute):
    """A route whose refusals become problem+json and whose body is bounded."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with the faults around it."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(Request(request.scope, _bounded(request.receive)))
            except Refusal as refusal:
                return refused(refusal)
            except RequestValidationError as invalid:
                return _invalid(invalid)
            except HTTPException as problem:
                if isinstance(problem.__cause__, Refusal):
                    # FastAPI wraps whatever is raised while it reads the body.
                    return refused(problem.__cause__)
                phrase = HTTPStatus(problem.status_code).phrase
                return _response(problem.status_code, "http", phrase)
            except Exception as bug:
                # Its text may quote data: only its kind is logged, with the correlation id.
                log.error(  # noqa: TRY400 - the traceback follows at debug level
                    "request failed",
                    extra={"problem": type(bug).__name__, "correlation": current().correlation},
                )
                log.debug("request failed by", exc_info=bug)
                return _response(500, "internal_error", "Internal error")

        return answer


def refused(refusal: Refusal) -> Response:
    """Return the answer for a refusal."""
    status = next(s for kind, s in STATUS.items() if isinstance(refusal, kind))
    response = _response(status, refusal.code, refusal.message)
    if isinstance(refusal, Unavailable):
        response.headers["retry-after"] = str(refusal.retry_after_seconds)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["www-authenticate"] = "Bearer"
    return response


def _invalid(invalid: RequestValidationError) -> Response:
    # The places only: the values may be personal.
    places = {".".join(str(part) for part in error["loc"]) for error in invalid.errors()}
    return _response(400, "invalid", "The request is malformed", ", ".join(sorted(places))[:500])


def _response(status: int, code: str, title: str, detail: str = "") -> Response:
    problem = Problem(title=title, status=status, code=code, detail=detail)
    return Response(
        problem.model_dump_json(exclude_defaults=False),
        status,
        {"cache-control": "no-store"},
        "application/problem+json",
    )


def _bounded(receive: Receive) -> Receive:
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > _MAX_BODY:
            raise BodyTooLarge
        return message

    return bounded
