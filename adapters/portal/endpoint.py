"""The portal's router: every route of `/api/v1`, one module a topic.

The outside contract of design A10. Called by `server.wiring`, which gives the rooms behind it.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from fastapi.routing import APIRoute

from adapters.portal import (
    accounts,
    audit,
    clients,
    procedure_steps,
    session,
    studies,
    studies_corrections,
    timeline,
)
from adapters.portal.ports import Portal

PREFIX: Final = "/api/v1"


def build_router(portal: Portal) -> APIRouter:
    """Return the router; operations are named by their functions, for generated clients."""
    router = APIRouter(prefix=PREFIX, generate_unique_id_function=_operation)
    for topic in (
        session,
        studies,
        studies_corrections,
        timeline,
        procedure_steps,
        accounts,
        clients,
        audit,
    ):
        router.include_router(topic.routes(portal))
    return router


def _operation(route: APIRoute) -> str:
    return route.name
