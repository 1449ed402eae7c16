"""What the portal is put together from; made by `server.wiring`.

Design D8 (dependencies as parameters). Routes touch nothing of it before a request comes, so
that OpenAPI can be generated without an installation.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

from starlette.requests import Request

from adapters.guard.guard import Guard
from adapters.guard.sign_in import SignIn
from kernel.context import acting_as
from kernel.times import Clock, now
from projections.audit_trail.view import AuditTrail
from projections.availability.view import Availability
from projections.document_index.view import DocumentIndex
from projections.patient_index.view import PatientIndex
from projections.procedure_steps.view import ProcedureSteps
from projections.study_index.view import StudyIndex
from registry.access.values import Subject
from repository.tiers.ports import BlobStore
from workflows.account_for_steps import StepAccounts
from workflows.administer_access import AccessAdministration
from workflows.correct_studies import CorrectStudies

PROTOCOL: Final = "portal"


@dataclass(frozen=True, slots=True)
class StepRooms:
    """What is asked of procedure steps."""

    steps: ProcedureSteps
    accounts: StepAccounts
    availability: Availability


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal:
    """The rooms behind the portal's routes."""

    guard: Guard
    sign_in: SignIn
    administration: AccessAdministration
    studies: StudyIndex
    corrections: CorrectStudies
    documents: DocumentIndex
    patients: PatientIndex
    audit: AuditTrail
    blobs: BlobStore
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    """The hospital's time zone: for date presets and for every time that is shown."""
    clock: Clock = now
    steps: StepRooms | None = None

    @contextmanager
    def caller(self, request: Request) -> Iterator[Subject]:
        """Run the block as the caller of a request; raises Unauthenticated."""
        subject = self.guard.http_subject(request)
        with acting_as(self.guard.envelope(subject, PROTOCOL)):
            yield subject
