"""The composition root: the only module that chooses concrete classes and puts them together.

Design C (server/wiring.py), D8 (dependencies as parameters). One `Installation` a process.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self, cast
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.types import ASGIApp

import schemas
from adapters.dicomweb.archive import Archive
from adapters.dicomweb.endpoint import DicomWeb
from adapters.dimse.endpoint import DimseServer
from adapters.dimse.limits import Limits as DimseLimits
from adapters.guard.directory import Directory
from adapters.guard.guard import Guard
from adapters.guard.sessions import SessionLimits, SessionStore
from adapters.guard.sign_in import SignIn
from adapters.hl7v2.endpoint import MllpServer
from adapters.hl7v2.iti8_patient_identity_feed import FeedPolicy
from adapters.portal.endpoint import build_router as build_portal
from adapters.portal.ports import Portal
from adapters.storage.local import LocalBlobStore
from adapters.xds.endpoint import XdsParts
from adapters.xds.endpoint import build_router as build_xds
from kernel.ledger.ledger import EventLedger, open_postgres, open_sqlite
from kernel.ledger.seals import Sealer
from projections.audit_trail import projection as audit_trail
from projections.audit_trail.view import AuditTrail
from projections.contract import ViewSpec
from projections.database import ViewsDatabase, postgres_engine, sqlite_engine
from projections.document_index import projection as document_index
from projections.document_index.view import DocumentIndex
from projections.patient_index import projection as patient_index
from projections.patient_index.view import PatientIndex
from projections.permissions import projection as permissions
from projections.permissions.policy import clause
from projections.permissions.view import PermissionsView
from projections.runner import Runner
from projections.storage_map import projection as storage_map
from projections.storage_map.view import StorageMap
from projections.study_index import projection as study_index
from projections.study_index.search import Searches
from projections.study_index.view import StudyIndex
from registry.documents.code_sets import CodeSets
from registry.documents.commands import Rules
from repository.instances.stored import StoredInstances
from server.event_catalogue import topic_table
from server.health import Health
from server.identity import Identity, identity_of
from server.keys import Keys, open_keys
from server.settings import BadSettings, Settings
from workflows.administer_access import AccessAdministration
from workflows.describe_manifest import ManifestPolicy
from workflows.identify_patient import PatientPolicy
from workflows.provide_and_register import ProvideAndRegister
from workflows.publish_study import PublishStudy, StudyPublisher
from workflows.receive_identity_feed import IdentityFeed
from workflows.register_documents import RegisterDocuments
from workflows.store_instances import InstanceIntake

LEDGERS: Final = ("facts", "access")
_SEAL_LOOK_SECONDS: Final = 5.0
_WAITING_THREADS: Final = 24


class Installation:
    """Everything one process of an installation is made of; parts are made when first asked for."""

    def __init__(self, settings: Settings, *, node: str = "") -> None:
        self.settings = settings
        self.node = node
        self._dsn = settings.dsn()
        self._closing: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened, last first."""
        while self._closing:
            self._closing.pop()()

    def create(self) -> None:
        """Make keys, tables and folders that are missing; safe to repeat."""
        self.settings.directory.mkdir(parents=True, exist_ok=True)
        _ = self.identity, self.keys, self.ledgers, self.blobs
        self.views.create()
        self.sessions.create()

    # What is kept ----------------------------------------------------------------------------

    @cached_property
    def identity(self) -> Identity:
        """Return our OIDs."""
        return identity_of(self.settings)

    @cached_property
    def keys(self) -> Keys:
        """Return the keys of patients and of this node."""
        made = open_keys(
            self.settings.directory / "keys", self._dsn,
            schema=f"{self.settings.ledger.schema}_keys",
        )
        self._closing.append(made.close)
        return made

    @cached_property
    def ledgers(self) -> dict[str, EventLedger]:
        """Return the ledgers by name."""
        return {name: self._open_ledger(name) for name in LEDGERS}

    def _open_ledger(self, name: str) -> EventLedger:
        topics, ring = topic_table(), self.keys.ring
        if self._dsn is None:
            folder = self.settings.directory / "ledger"
            folder.mkdir(parents=True, exist_ok=True)
            made = open_sqlite(
                folder / f"{name}.sqlite", name, topics=topics, ring=ring, node=self.node
            )
        else:
            made = open_postgres(
                self._dsn, name, topics=topics, ring=ring, schema=self.settings.ledger.schema,
                node=self.node,
            )
        self._closing.append(made.close)
        return made

    @property
    def facts(self) -> EventLedger:
        """Return the ledger of documents, studies, patients and permissions."""
        return self.ledgers["facts"]

    @property
    def access(self) -> EventLedger:
        """Return the ledger of who saw what."""
        return self.ledgers["access"]

    @cached_property
    def blobs(self) -> LocalBlobStore:
        """Return the hot tier."""
        return LocalBlobStore(self.settings.directory / "storage")

    @property
    def seals_directory(self) -> Path:
        """Return where seals are exported to."""
        return self.settings.directory / "seals"

    # What can be asked -----------------------------------------------------------------------

    def view_specs(self) -> Sequence[ViewSpec]:
        """Return every view (`projections.catalogue` says what each is for)."""
        stored = StoredInstances(self.blobs)
        return (
            permissions.SPEC, patient_index.SPEC, document_index.SPEC, audit_trail.SPEC,
            study_index.spec(stored), storage_map.spec(stored),
        )

    @cached_property
    def views(self) -> ViewsDatabase:
        """Return the database of the views."""
        if self._dsn is None:
            folder = self.settings.directory / "views"
            folder.mkdir(parents=True, exist_ok=True)
            path = str(folder / "views.sqlite")
            reader, writer = sqlite_engine(path, writer=False), sqlite_engine(path, writer=True)
        else:
            reader = writer = postgres_engine(self._dsn, schema=self.settings.ledger.schema)
        heads = {name: ledger.head for name, ledger in self.ledgers.items()}
        made = ViewsDatabase(reader, writer, self.view_specs(), heads)
        self._closing.append(made.close)
        return made

    @cached_property
    def runner(self) -> Runner:
        """Return what applies events to views (runs in the projector only)."""
        return Runner(self.views, self.ledgers)

    @cached_property
    def documents(self) -> DocumentIndex:
        """Return the document index."""
        return DocumentIndex(self.views)

    @cached_property
    def studies(self) -> StudyIndex:
        """Return the study index."""
        return StudyIndex(self.views)

    @cached_property
    def searches(self) -> Searches:
        """Return what runs C-FIND and QIDO-RS searches."""
        return Searches(self.views)

    @cached_property
    def storage(self) -> StorageMap:
        """Return the storage map."""
        return StorageMap(self.views)

    @cached_property
    def patients(self) -> PatientIndex:
        """Return the patient index."""
        return PatientIndex(self.views)

    @cached_property
    def audit(self) -> AuditTrail:
        """Return the audit trail."""
        return AuditTrail(self.views)

    @cached_property
    def health(self) -> Health:
        """Return what answers readiness and metrics."""
        return Health(self.ledgers, self.runner, self.settings.directory)

    # Who may ---------------------------------------------------------------------------------

    @cached_property
    def sessions(self) -> SessionStore:
        """Return the server-side sessions."""
        told = self.settings.guard
        limits = SessionLimits(
            idle=timedelta(minutes=told.idle_minutes),
            absolute=timedelta(hours=told.absolute_hours),
            lockout_failures=told.lockout_failures,
            lockout=timedelta(minutes=told.lockout_minutes),
        )
        if self._dsn is None:
            return SessionStore.sqlite(str(self.settings.directory / "sessions.sqlite"), limits)
        return SessionStore.postgres(self._dsn, self.settings.ledger.schema, limits)

    @cached_property
    def guard(self) -> Guard:
        """Return the one guard."""
        return Guard(
            Directory(PermissionsView(self.views)), self.sessions, self.access, node=self.node,
            loopback_system=self.settings.guard.loopback_system,
        )

    @cached_property
    def administration(self) -> AccessAdministration:
        """Return the commands on accounts, tokens, AE titles and certificates."""
        return AccessAdministration(self.facts)

    # What happens ----------------------------------------------------------------------------

    @cached_property
    def intake(self) -> InstanceIntake:
        """Return where instances go."""
        policy = PatientPolicy(self.identity.assigning_authority)
        made = InstanceIntake(self.facts, self.blobs, self.keys.patient_keys, policy)
        self._closing.append(made.close)
        return made

    @cached_property
    def register(self) -> RegisterDocuments:
        """Return ITI-42's workflow."""
        return RegisterDocuments(self.facts, self.keys.patient_keys, rules=self._rules)

    @cached_property
    def _rules(self) -> Rules:
        domain = self.settings.domain
        return Rules(
            code_sets=_code_sets(domain.codes).without(domain.unchecked_codes),
            patient_feed_required=domain.patient_feed_required,
        )

    @cached_property
    def provide(self) -> ProvideAndRegister:
        """Return ITI-41's workflow."""
        return ProvideAndRegister(
            self.register, repository_oid=self.identity.repository_oid, tier=self.blobs.tier
        )

    def background_work(self) -> Sequence[tuple[str, Callable[[threading.Event], None]]]:
        """Return what runs beside the projector, each until its event is set."""
        work = [("seal", self._seal)]
        if self.settings.study.publish:
            publisher = StudyPublisher(
                self.studies, self._publish(), quiet_seconds=self.settings.study.quiet_seconds
            )
            work.append(("publish", publisher.run))
        return work

    def _publish(self) -> PublishStudy:
        identity = self.identity
        return PublishStudy(
            self.facts, self.blobs, self.studies, self.register,
            patients=PatientPolicy(identity.assigning_authority),
            policy=ManifestPolicy(
                repository_oid=identity.repository_oid,
                source_oid=identity.source_oid,
                accession_authority=identity.assigning_authority,
                retrieve_ae_title=self.settings.dimse.ae_title,
                code_sets=self._rules.code_sets,
            ),
        )

    def _seal(self, stopping: threading.Event) -> None:
        told = self.settings.ledger
        sealers = [
            Sealer(
                ledger, self.keys.signer, self.seals_directory,
                every_events=told.seal_every_events, every_seconds=told.seal_every_seconds,
            )
            for ledger in self.ledgers.values()
        ]
        while not stopping.wait(_SEAL_LOOK_SECONDS):
            for sealer in sealers:
                sealer.seal_if_due()

    # The doors -------------------------------------------------------------------------------

    def dimse_server(self, listener: socket.socket) -> DimseServer:
        """Return the DICOM door on a listening socket."""
        told = self.settings.dimse
        return DimseServer(
            ae_title=told.ae_title,
            listener=listener,
            intake=self.intake,
            study_index=self.searches,
            storage_map=self.storage,
            blobs=self.blobs,
            guard=self.guard,
            limits=DimseLimits(max_associations=told.max_associations),
        )

    def mllp_server(self, listener: socket.socket) -> MllpServer:
        """Return the HL7 v2 door on a listening socket."""
        return MllpServer(
            listener,
            feed=IdentityFeed(self.facts, self.keys.patient_keys),
            guard=self.guard,
            policy=FeedPolicy(self.identity.assigning_authority),
        )

    def web_app(self) -> ASGIApp:
        """Return the HTTP application."""
        from server.http import Doors, build_app, spa_folder  # noqa: PLC0415 - knows this module

        return build_app(
            Doors(
                routers=(self._portal(), self._xds()),
                mounts=(("/dicom-web", self._dicomweb()),),
                health=self.health,
                spa=spa_folder(),
                allowed_origins=self.settings.http.allowed_origins,
            )
        )

    def http_protocol(self) -> Any:
        """Return uvicorn's HTTP protocol class, one that tells the TLS peer."""
        from server.tls import PeerCertificateProtocol  # noqa: PLC0415 - only web processes

        return PeerCertificateProtocol

    def _dicomweb(self) -> ASGIApp:
        threads = ThreadPoolExecutor(_WAITING_THREADS, "dicomweb")
        renderers = ThreadPoolExecutor(max(2, os.cpu_count() or 2), "render")
        self._closing += [threads.shutdown, renderers.shutdown]
        return DicomWeb(
            Archive(
                blobs=self.blobs, stored=StoredInstances(self.blobs), index=self.studies,
                searches=self.searches, storage=self.storage, intake=self.intake,
                guard=self.guard, clause=clause, threads=threads, renderers=renderers,
            )
        )

    def _portal(self) -> APIRouter:
        return build_portal(
            Portal(
                guard=self.guard, sign_in=SignIn(self.guard), administration=self.administration,
                studies=self.studies, documents=self.documents, patients=self.patients,
                audit=self.audit, blobs=self.blobs, zone=ZoneInfo(self.settings.timezone),
            )
        )

    def _xds(self) -> APIRouter:
        return build_xds(
            XdsParts(
                guard=self.guard, register=self.register, provide=self.provide,
                index=self.documents, store=self.blobs, patient_keys=self.keys.patient_keys,
            )
        )


def _code_sets(told: str) -> CodeSets:
    path = Path(told) if told else schemas.path("codes/affinity-domain.json")
    try:
        return CodeSets.parse(path.read_bytes())
    except OSError as problem:
        raise BadSettings("domain.codes cannot be read") from problem


def described_routers() -> Sequence[APIRouter]:
    """Return the routers whose API `schemas/openapi` describes, without an installation."""
    # The portal's routes touch their rooms only when a request comes.
    return (build_portal(cast("Portal", None)),)
