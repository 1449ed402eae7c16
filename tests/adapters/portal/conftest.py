"""A portal over an installation with studies and documents, called as a browser calls it."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from adapters.portal.endpoint import build_router
from adapters.portal.ports import Portal
from adapters.storage.local import LocalBlobStore
from kernel.context import Envelope
from kernel.identifiers import PatientId
from kernel.ledger.ports import Append, StreamAppend
from projections.audit_trail.projection import SPEC as AUDIT_TRAIL
from projections.audit_trail.view import AuditTrail
from projections.document_index.projection import SPEC as DOCUMENT_INDEX
from projections.document_index.view import DocumentIndex
from projections.patient_index.projection import SPEC as PATIENT_INDEX
from projections.patient_index.view import PatientIndex
from projections.study_index.projection import spec as study_index
from projections.study_index.view import StudyIndex
from registry.documents.commands import Rules
from registry.documents.events import DocumentDeprecated, DocumentRegistered
from repository.instances.header import identify
from repository.instances.stored import StoredInstances
from tests.support import submissions
from tests.support.archive import AUTHORITY, instance, octets
from tests.support.installation import PASSWORD, Installation, installation, on_engine
from workflows.correct_studies import CorrectStudies
from workflows.gather_instances import Offer
from workflows.identify_patient import PatientPolicy
from workflows.register_documents import RegisterDocuments
from workflows.store_instances import InstanceIntake

BASE = "http://testserver"
NOON = datetime(2026, 5, 3, 4, 0, tzinfo=UTC)
"""12:00 in Shanghai."""


@dataclass
class Browser:
    """A client with a cookie jar and the CSRF token of its session."""

    client: TestClient
    csrf: str = ""

    def sign_in(self, user: str, password: str = PASSWORD) -> dict[str, Any]:
        answer = self.client.post("/api/v1/session", json={"user": user, "password": password})
        body: dict[str, Any] = answer.json()
        assert answer.status_code == 200, body
        self.csrf = body["csrf"]
        return body

    def send(self, method: str, path: str, **options: Any) -> Any:
        headers = {"X-Pianku-Csrf": self.csrf, **options.pop("headers", {})}
        return self.client.request(method, f"/api/v1{path}", headers=headers, **options)

    def get(self, path: str, **options: Any) -> Any:
        return self.send("GET", path, **options)

    def post(self, path: str, body: Any) -> Any:
        return self.send("POST", path, json=body)


@dataclass
class House:
    """What a test of the portal looks at."""

    place: Installation
    portal: Portal
    app: FastAPI
    intake: InstanceIntake
    blobs: LocalBlobStore

    def browser(self, *roles: str, base: str = BASE) -> Browser:
        """Return a browser, signed in when roles are named."""
        browser = Browser(TestClient(self.app, base_url=base, raise_server_exceptions=False))
        if roles:
            login = f"user{len(self.place.guard.directory.refresh().accounts)}"
            self.place.account(login, *roles)
            browser.sign_in(login)
        return browser

    def store(self, **changes: Any) -> None:
        file = octets(instance(**changes))
        incoming = self.blobs.incoming()
        incoming.write(file)
        incoming.seal()
        (outcome,) = self.intake.store_many([Offer(incoming, identify(file))], Envelope())
        assert not isinstance(outcome, Exception), outcome

    def key(self, local: str) -> UUID:
        return self.place.keys.key(PatientId(local, AUTHORITY))

    def register(self, content: bytes, local: str = "P1", **changes: Any) -> UUID:
        """Register a document whose octets are in our store."""
        incoming = self.blobs.incoming(with_sha1=True)
        incoming.write(content)
        incoming.seal()
        key = incoming.keep()
        entry = submissions.entry(f"{local}^^^&{AUTHORITY}&ISO", content=content, **changes)
        fact = DocumentRegistered(
            entry_uuid=entry.entry_uuid, logical_id=entry.entry_uuid, version=1,
            unique_id=entry.unique_id, repository_unique_id=entry.repository_unique_id,
            mime_type=entry.mime_type, hash=hashlib.sha1(content).hexdigest(), size=len(content),
            patient_key=self.key(local), object_sha256=key, entry=entry,
        )  # fmt: skip
        stream = StreamAppend(entry.entry_uuid, (fact,), 0, self.key(local))
        self.place.facts.append(Append((stream,)))
        return entry.entry_uuid

    def deprecate(self, entry_uuid: UUID) -> None:
        fact = DocumentDeprecated(entry_uuid=entry_uuid)
        self.place.facts.append(Append((StreamAppend(entry_uuid, (fact,)),)))


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[House]:
    yield from _house(tmp_path, **on_engine(request))


@pytest.fixture
def sqlite_house(tmp_path: Path) -> Generator[House]:
    yield from _house(tmp_path)


def _house(folder: Path, **engine: str) -> Generator[House]:
    blobs = LocalBlobStore(folder / "blobs")
    specs = [AUDIT_TRAIL, DOCUMENT_INDEX, PATIENT_INDEX, study_index(StoredInstances(blobs))]
    with installation(folder, specs, **engine) as place:
        place.clock.moment = NOON
        portal = Portal(
            guard=place.guard,
            sign_in=place.sign_in,
            administration=place.administration,
            studies=StudyIndex(place.views),
            corrections=CorrectStudies(
                place.facts,
                StudyIndex(place.views),
                RegisterDocuments(place.facts, place.keys, rules=Rules()),
                place.keys,
            ),
            documents=DocumentIndex(place.views),
            patients=PatientIndex(place.views),
            audit=AuditTrail(place.views),
            blobs=blobs,
            clock=place.clock,
        )
        app = FastAPI()
        app.include_router(build_router(portal))
        intake = InstanceIntake(place.facts, blobs, place.keys, PatientPolicy(AUTHORITY))
        yield House(place, portal, app, intake, blobs)
        intake.close()
    blobs.close()
