"""What modalities perform, and what of it never came; who was told what is available.

IHE RAD TF-2 4.6, 4.7 (performed procedure steps) and 4.49 (availability). No name is told here,
only identifiers. Answered from `projections/procedure_steps` and `projections/availability`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from adapters.portal.decode import ShortText
from adapters.portal.encode import local
from adapters.portal.faults import PROBLEMS, PortalRoute
from adapters.portal.ports import Portal, StepRooms
from kernel.identifiers import dicom_uid
from kernel.refusals import NotFound
from projections.availability.view import Owed
from projections.permissions.policy import clause
from projections.procedure_steps.view import PerformedStep, StepFilter
from registry.access.values import Resource
from registry.availability.values import UNAVAILABLE
from registry.procedure_steps import attributes as rules
from registry.procedure_steps.values import Status

_TRANSACTION: Final = "portal.procedure-steps"
_AVAILABILITY: Final = "portal.availability"
_MOST_MISSING: Final = 1000


class StepSearch(BaseModel):
    """A search of performed procedure steps; absent members do not restrict."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    accession: ShortText = ""
    study: ShortText = ""
    status: Status | None = None
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProcedureStep(_Answer):
    """One performed procedure step."""

    sop_uid: str
    patient_key: str
    status: Status
    modality: str
    station_ae: str
    performed_step_id: str
    description: str
    discontinuation_reason: str
    """`value^scheme` (PS3.16 CID 9300)."""
    study_uids: list[str]
    accession_numbers: list[str]
    started_at: str
    """Local date and time at which we were told."""
    changed_at: str
    series_count: int
    instance_count: int
    """What it says it made."""
    missing_count: int
    missing: list[str]
    """SOP Instance UIDs it lists that never came, the first thousand."""


class ProcedureStepPage(_Answer):
    """One page of steps, the last begun first."""

    total: int
    items: list[ProcedureStep]


class Recipient(_Answer):
    """How far one AE was told of a study."""

    ae_title: str
    state: str
    """waiting | told | abandoned."""
    attempts: int


class AvailabilityNotice(_Answer):
    """What another archive told us of a study."""

    source: str
    at: str
    retrieve_ae_titles: list[str]
    instance_count: int
    unavailable_count: int


class StudyAvailability(_Answer):
    """Whom we told of a study, and who told us."""

    told: list[Recipient]
    noted: list[AvailabilityNotice]


def routes(portal: Portal) -> APIRouter:
    """Return the routes of procedure steps and availability."""
    router = APIRouter(route_class=PortalRoute, responses=PROBLEMS, tags=["studies"])

    @router.get("/procedure-steps")
    def list_procedure_steps(
        search: Annotated[StepSearch, Query()], request: Request
    ) -> ProcedureStepPage:
        """List performed procedure steps by accession number, study and status."""
        with portal.caller(request) as subject:
            portal.guard.check(subject, "query", Resource("study"), transaction=_TRANSACTION)
            rooms = _rooms(portal)
            total, found = rooms.steps.find(
                StepFilter(search.study, search.accession, search.status),
                policy=clause(subject, "query", "study"),
                offset=search.offset,
                limit=search.limit,
            )
            portal.guard.record(
                subject,
                "query",
                "success",
                _TRANSACTION,
                patient_keys=[step.patient_key for step in found],
                study_uids=list(dict.fromkeys(uid for s in found for uid in s.study_uids)),
                count=total,
            )
            items = [_step(step, rooms.accounts.missing(step), portal) for step in found]
            return ProcedureStepPage(total=total, items=items)

    @router.get("/studies/{study_uid}/availability")
    def read_availability(study_uid: str, request: Request) -> StudyAvailability:
        """Tell whom we told of a study, and what other archives told us of it."""
        with portal.caller(request) as subject:
            uid = dicom_uid(study_uid)
            resource = Resource("study", study_uid=uid)
            portal.guard.check(subject, "view", resource, transaction=_AVAILABILITY)
            availability = _rooms(portal).availability
            told, noted = availability.of_study(uid), availability.notices(uid)
            portal.guard.record(
                subject, "view", "success", _AVAILABILITY, study_uids=[uid], count=len(noted)
            )
            notices = [
                AvailabilityNotice(
                    source=source,
                    at=local(at, portal.zone),
                    retrieve_ae_titles=sorted({one.retrieve_ae for one in notice.instances}),
                    instance_count=notice.count,
                    unavailable_count=sum(
                        len(o.sop_uids) for o in notice.instances if o.availability == UNAVAILABLE
                    ),
                )
                for source, at, notice in noted
            ]
            return StudyAvailability(told=[_recipient(one) for one in told], noted=notices)

    return router


def _rooms(portal: Portal) -> StepRooms:
    if portal.steps is None:
        raise NotFound("no procedure steps are kept here")
    return portal.steps


def _step(step: PerformedStep, missing: Sequence[str], portal: Portal) -> ProcedureStep:
    return ProcedureStep(
        sop_uid=step.sop_uid,
        patient_key=str(step.patient_key),
        status=step.status,
        modality=step.modality,
        station_ae=step.station_ae,
        performed_step_id=rules.text(step.attributes, rules.STEP_ID),
        description=rules.text(step.attributes, "00400254"),
        discontinuation_reason=step.reason,
        study_uids=list(step.study_uids),
        accession_numbers=list(step.accessions),
        started_at=local(step.started, portal.zone),
        changed_at=local(step.changed, portal.zone),
        series_count=len(step.performed),
        instance_count=step.listed,
        missing_count=len(missing),
        missing=list(missing[:_MOST_MISSING]),
    )


def _recipient(owed: Owed) -> Recipient:
    return Recipient(ae_title=owed.ae_title, state=owed.state, attempts=owed.attempts)
