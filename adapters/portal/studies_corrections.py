"""Corrections of studies: attributes, patient, split, merge, taken back, and what was ever done.

Requirements R-6.3.4. What is asked travels in the body: no personal datum stands in a URL. Called
by scripts and viewer-app; the work is in `workflows/correct_studies.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from adapters.portal.decode import ShortText
from adapters.portal.faults import PROBLEMS, PortalRoute
from adapters.portal.ports import Portal
from kernel.identifiers import PatientId, dicom_uid
from registry.access.values import Resource
from workflows.correct_studies import AskedMove, CorrectStudies, Done

Uid = Annotated[str, Field(max_length=64)]
Reason = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]*$")]
_TRANSACTION: Final = "portal.correct"


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    reason: Reason
    dry_run: bool = False
    """Tell what would be done, and do nothing."""


class Correction(_Asked):
    """Attributes by keyword with their new values; an empty one empties."""

    values: Annotated[
        dict[ShortText, Annotated[str, Field(max_length=10240)]], Field(min_length=1, max_length=32)
    ]


class NewPatient(_Asked):
    """Whose a study is."""

    patient_id: ShortText
    """CX: `id^^^&OID&ISO`."""


class MoveOfInstances(_Asked):
    """What is to belong to another study; no series and instances named: all."""

    to_study_uid: Uid = ""
    """Empty: a new study."""
    series_uids: Annotated[list[Uid], Field(max_length=1000)] = []
    sop_uids: Annotated[list[Uid], Field(max_length=1000)] = []


class Reversal(_Asked):
    """Which act is taken back."""

    position: Annotated[int, Field(ge=0)] = 0
    """0: the last one."""


class SeriesThere(BaseModel):
    """A series and where it went."""

    series_uid: str
    to_series_uid: str
    instance_count: int
    """0: all of the series."""


class Outcome(BaseModel):
    """What was done, or would be."""

    kind: str
    study_uid: str
    tags: list[str]
    to_study_uid: str
    series: list[SeriesThere]
    instance_count: int
    position: int
    """Of the event in the ledger; 0: nothing was recorded."""


class ActOnStudy(BaseModel):
    """A correction, reassignment or move that was done."""

    position: int
    at: datetime
    who: str
    kind: str
    tags: list[str]
    from_study_uid: str
    to_study_uid: str
    instance_count: int
    reason: str
    reverts: int
    reverted: bool


def routes(portal: Portal) -> APIRouter:
    """Return the routes of corrections."""
    router = APIRouter(route_class=PortalRoute, responses=PROBLEMS, tags=["corrections"])

    @router.post("/studies/{study_uid}/corrections")
    def correct_study(study_uid: str, asked: Correction, request: Request) -> Outcome:
        """Have attributes of a study told otherwise; stored octets stay."""

        def work(workflow: CorrectStudies, uid: str) -> Done:
            return workflow.correct(uid, asked.values, reason=asked.reason, dry_run=asked.dry_run)

        return _done(portal, request, study_uid, work)

    @router.post("/studies/{study_uid}/reassignment")
    def reassign_study(study_uid: str, asked: NewPatient, request: Request) -> Outcome:
        """Give a study to another patient who is known."""

        def work(workflow: CorrectStudies, uid: str) -> Done:
            patient_id = PatientId.parse(asked.patient_id)
            return workflow.reassign(uid, patient_id, reason=asked.reason, dry_run=asked.dry_run)

        return _done(portal, request, study_uid, work)

    @router.post("/studies/{study_uid}/moves")
    def move_instances(study_uid: str, asked: MoveOfInstances, request: Request) -> Outcome:
        """Split a study, or merge it into another of the patient."""

        def work(workflow: CorrectStudies, uid: str) -> Done:
            move = AskedMove(
                study_uid=uid,
                to_study_uid=dicom_uid(asked.to_study_uid) if asked.to_study_uid else "",
                series_uids=[dicom_uid(one) for one in asked.series_uids],
                sop_uids=[dicom_uid(one) for one in asked.sop_uids],
            )
            return workflow.move(move, reason=asked.reason, dry_run=asked.dry_run)

        return _done(portal, request, study_uid, work)

    @router.post("/studies/{study_uid}/reversals")
    def take_back(study_uid: str, asked: Reversal, request: Request) -> Outcome:
        """Take back a correction, reassignment or move."""

        def work(workflow: CorrectStudies, uid: str) -> Done:
            return workflow.revert(uid, asked.position, reason=asked.reason, dry_run=asked.dry_run)

        return _done(portal, request, study_uid, work)

    _add_history(router, portal)
    return router


def _add_history(router: APIRouter, portal: Portal) -> None:
    @router.get("/studies/{study_uid}/corrections")
    def list_corrections(study_uid: str, request: Request) -> list[ActOnStudy]:
        """Tell what was ever done to a study, oldest first."""
        with portal.caller(request) as subject:
            uid = dicom_uid(study_uid)
            resource = Resource("study", study_uid=uid)
            portal.guard.check(subject, "correct", resource, transaction=_TRANSACTION)
            acts = portal.corrections.history(uid)
            portal.guard.record(
                subject,
                "correct",
                "success",
                _TRANSACTION,
                study_uids=[uid],
                count=len(acts),
                detail="listed",
            )
            return [
                ActOnStudy(
                    position=one.position,
                    at=one.at.astimezone(portal.zone),
                    who=one.subject,
                    kind=one.kind,
                    tags=list(one.tags),
                    from_study_uid=one.from_study_uid,
                    to_study_uid=one.to_study_uid,
                    instance_count=one.instance_count,
                    reason=one.reason,
                    reverts=one.reverts,
                    reverted=one.reverted,
                )
                for one in acts
            ]


def _done(
    portal: Portal, request: Request, study_uid: str, work: Callable[[CorrectStudies, str], Done]
) -> Outcome:
    with portal.caller(request) as subject:
        uid = dicom_uid(study_uid)
        resource = Resource("study", study_uid=uid)
        portal.guard.check(subject, "correct", resource, transaction=_TRANSACTION)
        done = work(portal.corrections, uid)
        portal.guard.record(
            subject,
            "correct",
            "success",
            _TRANSACTION,
            patient_keys=list(done.patient_keys),
            study_uids=[one for one in (uid, done.to_study_uid) if one],
            count=done.instance_count,
            detail=done.kind if done.position else f"{done.kind}, tried",
        )
        return Outcome(
            kind=done.kind,
            study_uid=done.study_uid,
            tags=list(done.tags),
            to_study_uid=done.to_study_uid,
            series=[
                SeriesThere(
                    series_uid=one.series_uid,
                    to_series_uid=one.to_series_uid,
                    instance_count=len(one.sop_uids),
                )
                for one in done.series
            ],
            instance_count=done.instance_count,
            position=done.position,
        )
