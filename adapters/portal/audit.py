"""The audit trail for the audit administrator; reading it is itself recorded.

Implements requirements R-4.1 and 7.5 (audit read). Called by viewer-app and by assessors'
scripts; answered from `projections/audit_trail`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request

from adapters.portal import encode
from adapters.portal.decode import AuditSearch
from adapters.portal.faults import PROBLEMS, PortalRoute
from adapters.portal.ports import Portal
from projections.audit_trail.view import AccessRow, AuditQuery
from projections.permissions.policy import clause
from registry.access.values import Resource

_TRANSACTION: Final = "portal.audit"


def routes(portal: Portal) -> APIRouter:
    """Return the route of the audit trail."""
    router = APIRouter(route_class=PortalRoute, responses=PROBLEMS, tags=["audit"])

    @router.get("/audit")
    def read_audit(search: Annotated[AuditSearch, Query()], request: Request) -> encode.AuditPage:
        """Search accesses by person, patient, object, action, outcome and time."""
        with portal.caller(request) as subject:
            portal.guard.check(subject, "read-audit", Resource("audit"), transaction=_TRANSACTION)
            page = portal.audit.search(
                AuditQuery(
                    subject=search.user,
                    patient_key=search.patient_key,
                    study_uid=search.study_uid,
                    document_id=search.document_id,
                    action=search.action,
                    outcome=search.outcome,
                    transaction=search.transaction,
                    address=search.address,
                    since=_aware(search.since, portal),
                    until=_aware(search.until, portal),
                ),
                policy=clause(subject, "read-audit", "audit"),
                offset=search.offset,
                limit=search.limit,
            )
            portal.guard.record(
                subject,
                "read-audit",
                "success",
                _TRANSACTION,
                patient_keys=() if search.patient_key is None else (search.patient_key,),
                count=page.total,
                detail=search.criteria(),
            )
            return encode.AuditPage(
                total=page.total,
                by_action=page.by_action,
                by_outcome=page.by_outcome,
                items=[_row(row) for row in page.items],
            )

    return router


def _aware(moment: datetime | None, portal: Portal) -> datetime | None:
    """Return a moment with its zone; without one it is meant in the hospital's clock."""
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=portal.zone).astimezone(UTC)


def _row(row: AccessRow) -> encode.AuditRow:
    return encode.AuditRow(
        position=row.position,
        at=row.at,
        user=row.subject,
        user_kind=row.subject_kind,
        address=row.address,
        protocol=row.protocol,
        source=row.source,
        node=row.node,
        purpose=row.purpose,
        correlation=str(row.correlation),
        action=row.action,
        outcome=row.outcome,
        transaction=row.transaction,
        count=row.count,
        detail=row.detail,
        patient_keys=list(row.patient_keys),
        study_uids=list(row.study_uids),
        document_ids=list(row.document_ids),
    )
