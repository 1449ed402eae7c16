"""What the resources of DICOMweb are made of: stores, views, guard, limits, threads.

Put together by `server.wiring`; one a process. See PS3.18 10.1 for the resources.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from uuid import UUID

import sqlalchemy as sa
from starlette.requests import HTTPConnection

from adapters.dicomweb.kept_pictures import KeptPictures
from kernel.context import Envelope
from kernel.refusals import Refusal
from projections.commitments.view import Commitments
from projections.storage_map.view import StorageMap
from projections.study_index.search import Searches
from projections.study_index.view import StudyIndex
from projections.workitems.view import Workitems
from registry.access.values import Resource, Subject
from registry.studies.values import Outcome
from repository.instances.stored import StoredInstances
from repository.tiers.ports import BlobStore
from workflows.commit_to_storage import StorageCommitment
from workflows.gather_instances import Offer
from workflows.perform_workitems import PerformWorkitems
from workflows.report_workitems import WorkitemReports

T = TypeVar("T")


class Guard(Protocol):
    """What DICOMweb asks of `adapters.guard`."""

    def http_subject(self, request: HTTPConnection) -> Subject:
        """Return the caller; raises Unauthenticated."""
        ...

    def check(
        self, subject: Subject, action: str, resource: Resource, *, transaction: str = ""
    ) -> None:
        """Raise Forbidden, and record it, unless allowed."""
        ...

    def record_soon(
        self,
        subject: Subject,
        action: str,
        outcome: str,
        transaction: str,
        *,
        patient_keys: Iterable[UUID] = (),
        study_uids: Iterable[str] = (),
        document_ids: Iterable[str] = (),
        count: int = 0,
        detail: str = "",
    ) -> Future[int]:
        """Begin to record an access."""
        ...

    def envelope(self, subject: Subject, protocol: str, *, source: str = "") -> Envelope:
        """Return the envelope of what the caller's request records."""
        ...


class Intake(Protocol):
    """What STOW-RS asks of `workflows.store_instances`."""

    def store_many(self, offers: Sequence[Offer], envelope: Envelope) -> list[Outcome | Refusal]:
        """Take the instances of one request; each is stored or refused on its own."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request may bring or take."""

    request_octets: int = 64 << 30
    part_octets: int = 16 << 30
    parts: int = 20_000
    results: int = 1000
    """Matches of a search that gives no limit, and the most for studies."""
    instance_results: int = 20_000
    """The same for series and instances."""
    renderings: int = 64
    """Pictures being made at once; more are answered 503."""
    rendered_instances: int = 200
    """Pictures in one answer for a whole series or study."""


@dataclass(frozen=True, slots=True)
class WorklistRooms:
    """What UPS-RS stands on."""

    perform: PerformWorkitems
    index: Workitems
    reports: WorkitemReports


@dataclass(frozen=True, slots=True)
class CommitmentRooms:
    """What storage commitment over the web stands on."""

    commits: StorageCommitment
    queue: Commitments


@dataclass(frozen=True, slots=True)
class Archive:
    """The parts behind the resources."""

    blobs: BlobStore
    stored: StoredInstances
    index: StudyIndex
    searches: Searches
    storage: StorageMap
    intake: Intake
    guard: Guard
    clause: Callable[[Subject, str, str], sa.ColumnElement[bool]]
    """`projections.permissions.policy.clause`."""
    threads: Executor
    """Runs what waits for disk or database."""
    renderers: Executor
    """Runs what decodes pixels."""
    limits: Limits = field(default_factory=Limits)
    prefix: str = "/dicom-web"
    pictures: KeptPictures | None = None
    """Where thumbnails are kept; None: each is made when it is asked for."""
    worklist: WorklistRooms | None = None
    commitments: CommitmentRooms | None = None

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function that may wait, outside of the event loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, function, *arguments)
