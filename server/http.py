"""The HTTP application: doors put together, the viewer served, headers that protect browsers.

Design A6, A10 (paths) and findings on CSP; called by `server.roles` for each web process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.health import Health

_CSP: Final = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; "
    "connect-src 'self' blob: data:; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "font-src 'self' data:; object-src 'none'; base-uri 'self'; frame-ancestors 'self'; "
    "form-action 'self'"
)
_HEADERS: Final = (
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "SAMEORIGIN"),
    ("cross-origin-resource-policy", "same-origin"),
)
_SERVICES: Final = (
    "/api/", "/assets/", "/dicom-web", "/dsub", "/fhir/", "/hl7v3", "/wado", "/xca/", "/xds/",
)  # fmt: skip
"""Where an unknown path is a mistake, not a page of the viewer."""
_IMMUTABLE: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Doors:
    """What the application is put together from."""

    routers: Sequence[APIRouter]
    mounts: Sequence[tuple[str, ASGIApp]]
    """Plain ASGI applications that answer everything under a path, before any router."""
    health: Health
    spa: Path | None
    allowed_origins: Sequence[str] = ()


def build_app(doors: Doors) -> ASGIApp:
    """Return the application of one web process."""
    app = FastAPI(
        title="Pianku",
        version="1",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    for router in doors.routers:
        app.include_router(router)
    _add_health(app, doors.health)
    if doors.spa is not None:
        _add_spa(app, doors.spa)
    mounted = _Mounts(app, doors.mounts)
    with_headers: ASGIApp = _ProtectingHeaders(mounted, cross_origin=bool(doors.allowed_origins))
    if not doors.allowed_origins:
        return with_headers
    return CORSMiddleware(
        with_headers,
        allow_origins=list(doors.allowed_origins),
        allow_methods=["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"],
        allow_headers=["Authorization", "Accept", "Content-Type", "Range", "If-None-Match"],
        expose_headers=[
            "Content-Type",
            "Content-Length",
            "Content-Range",
            "ETag",
            "Location",
            "Warning",
            "X-Total-Count",
        ],
    )


class _Mounts:
    """Sends hot paths straight to their application; the rest goes to FastAPI."""

    def __init__(self, app: ASGIApp, mounts: Sequence[tuple[str, ASGIApp]]) -> None:
        self._app = app
        self._mounts = tuple(mounts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind in {"http", "websocket"}:
            path: str = scope["path"]
            for prefix, target in self._mounts:
                if kind == "websocket" and not getattr(target, "takes_websockets", False):
                    continue
                if path == prefix or path.startswith(prefix + "/"):
                    await target(scope, receive, send)
                    return
        await self._app(scope, receive, send)


class _ProtectingHeaders:
    """Adds the headers that keep a browser from doing what we never ask of it."""

    def __init__(self, app: ASGIApp, *, cross_origin: bool) -> None:
        self._app = app
        self._headers = tuple(
            (name, value)
            for name, value in _HEADERS
            if not (cross_origin and name == "cross-origin-resource-policy")
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                # A door that says something stricter of its own answer is right.
                headers = MutableHeaders(raw=list(message.get("headers", ())))
                for name, value in self._headers:
                    headers.setdefault(name, value)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.setdefault("content-security-policy", _CSP)
                message["headers"] = headers.raw
            await send(message)

        await self._app(scope, receive, sending)


def _add_health(app: FastAPI, health: Health) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def alive() -> Response:
        return PlainTextResponse("alive\n")

    @app.get("/readyz", include_in_schema=False)
    def ready() -> Response:
        report = health.report()
        return JSONResponse(report.as_json(), status_code=200 if report.ready else 503)

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return PlainTextResponse(health.metrics(), media_type="text/plain; version=0.0.4")


def _add_spa(app: FastAPI, folder: Path) -> None:
    root = folder.resolve()
    known = {"/" + str(p.relative_to(root)): p for p in root.rglob("*") if p.is_file()}
    index = root / "index.html"

    @app.get("/{path:path}", include_in_schema=False)
    async def viewer(path: str) -> Response:
        path = f"/{path}"
        found = known.get(path)
        if found is not None:
            caching = _IMMUTABLE if path.startswith("/assets/") else "no-cache"
            return FileResponse(found, headers={"cache-control": caching})
        if path.startswith(_SERVICES):
            return JSONResponse({"title": "Not Found", "status": 404}, status_code=404)
        # Every other path is a page of the viewer, which reads the address itself.
        return FileResponse(index, headers={"cache-control": "no-cache"})


def spa_folder() -> Path | None:
    """Return where the built viewer lies: inside the wheel, or in a checkout."""
    here = Path(__file__).resolve().parent
    for folder in (here / "spa", here.parent / "viewer-app" / "dist"):
        if (folder / "index.html").is_file():
            return folder
    return None


def describe() -> dict[str, Any]:
    """Return the OpenAPI description of the portal's API (for schemas/openapi)."""
    from server.web_door import described_routers  # noqa: PLC0415 - which puts this module to use

    app = FastAPI(title="Pianku", version="1", openapi_url=None)
    for router in described_routers():
        app.include_router(router)
    made: Callable[[], dict[str, Any]] = app.openapi
    return made()
