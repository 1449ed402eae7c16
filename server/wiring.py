"""The composition root: what an installation keeps, asks, guards and does.

Design C (server/wiring.py), D8 (dependencies as parameters). One `Installation` a process. The
doors of each role are put together on top of it in `web_door`, `dimse_door` and `mllp_door`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Final, Self

import msgspec

import schemas
from adapters.guard.directory import Directory
from adapters.guard.guard import Guard
from adapters.guard.sessions import SessionLimits, SessionStore
from adapters.soap.faults import SoapFault
from adapters.storage.local import LocalBlobStore
from adapters.xds.code_set_file import read_code_sets
from kernel.ledger.ledger import EventLedger, open_postgres, open_sqlite
from projections.audit_trail import projection as audit_trail
from projections.audit_trail.view import AuditTrail
from projections.availability import projection as availability
from projections.bell import Bell
from projections.commitments import projection as commitments
from projections.contract import ViewSpec
from projections.database import ViewsDatabase, postgres_engine, sqlite_engine
from projections.delivery_queue import projection as delivery_queue
from projections.delivery_queue.view import DeliveryQueue
from projections.document_index import projection as document_index
from projections.document_index.held import HeldDocuments
from projections.document_index.view import DocumentIndex
from projections.patient_index import projection as patient_index
from projections.patient_index.view import PatientIndex
from projections.permissions import projection as permissions
from projections.permissions.view import PermissionsView
from projections.procedure_steps import projection as procedure_steps
from projections.runner import Runner
from projections.storage_map import projection as storage_map
from projections.storage_map.view import StorageMap
from projections.study_index import projection as study_index
from projections.study_index.search import Searches
from projections.study_index.view import StudyIndex
from projections.workitems import projection as workitems
from projections.worklist import projection as worklist
from registry.documents.code_sets import CodeSets
from registry.documents.commands import Rules
from repository.instances.stored import StoredInstances
from server.event_catalogue import topic_table
from server.health import Health
from server.identity import Identity, identity_of
from server.keys import Keys, open_keys
from server.settings import BadSettings, Settings
from workflows.administer_access import AccessAdministration
from workflows.correct_studies import CorrectStudies
from workflows.generate_on_demand import GenerateOnDemand, OnDemandPolicy, Snapshots
from workflows.identify_patient import PatientPolicy
from workflows.provide_and_register import ProvideAndRegister
from workflows.register_documents import RegisterDocuments
from workflows.register_on_demand import RegisterOnDemand
from workflows.remove_documents import RemoveDocuments
from workflows.remove_metadata import RemoveMetadata
from workflows.store_instances import InstanceIntake
from workflows.summarise_imaging import ImagingSummary
from workflows.update_documents import UpdateDocuments

LEDGERS: Final = ("facts", "access")


class Installation:
    """Everything one process of an installation is made of; parts are made when first asked for."""

    def __init__(self, settings: Settings, *, node: str = "") -> None:
        self.settings = settings
        self.node = node
        self._dsn = settings.dsn()
        self._closing: list[Callable[[], object]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened, last first."""
        while self._closing:
            self._closing.pop()()

    def on_close(self, close: Callable[[], object]) -> None:
        """Have `close` called when the installation is closed."""
        self._closing.append(close)

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
            self.settings.directory / "keys",
            self._dsn,
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
                self._dsn,
                name,
                topics=topics,
                ring=ring,
                schema=self.settings.ledger.schema,
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
            permissions.SPEC,
            patient_index.SPEC,
            document_index.SPEC,
            delivery_queue.SPEC,
            commitments.SPEC,
            worklist.SPEC,
            workitems.SPEC,
            procedure_steps.SPEC,
            availability.SPEC,
            audit_trail.SPEC,
            study_index.spec(stored),
            storage_map.spec(stored),
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
        # Also beside PostgreSQL: processes of one host share the folder. From another host no
        # bell is heard, and a reader there waits a gulp of the projector at most.
        bells = {name: Bell(self.settings.directory / "views" / f"{name}.bell") for name in heads}
        made = ViewsDatabase(reader, writer, self.view_specs(), heads, bells=bells)
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
    def deliveries(self) -> DeliveryQueue:
        """Return subscriptions and their notifications."""
        return DeliveryQueue(self.views)

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
            Directory(PermissionsView(self.views)),
            self.sessions,
            self.access,
            node=self.node,
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
    def corrections(self) -> CorrectStudies:
        """Return what corrects, reassigns, splits and merges studies."""
        return CorrectStudies(self.facts, self.studies, self.register, self.keys.patient_keys)

    @cached_property
    def register(self) -> RegisterDocuments:
        """Return ITI-42's workflow."""
        return RegisterDocuments(self.facts, self.keys.patient_keys, rules=self.rules)

    @cached_property
    def rules(self) -> Rules:
        """Return what the affinity domain decided."""
        domain = self.settings.domain
        return Rules(
            code_sets=code_sets(domain.codes).without(domain.unchecked_codes),
            patient_feed_required=domain.patient_feed_required,
        )

    @cached_property
    def provide(self) -> ProvideAndRegister:
        """Return ITI-41's workflow."""
        return ProvideAndRegister(
            self.register, repository_oid=self.identity.repository_oid, tier=self.blobs.tier
        )

    @cached_property
    def generate_on_demand(self) -> GenerateOnDemand:
        """Return what makes on-demand documents."""
        return GenerateOnDemand(
            self.documents,
            self.register,
            self.blobs,
            ImagingSummary(self.studies, self.documents),
            policy=OnDemandPolicy(
                source_oid=self.identity.source_oid,
                snapshots=Snapshots(self.settings.documents.snapshots),
            ),
        )

    @cached_property
    def register_on_demand(self) -> RegisterOnDemand:
        """Return ITI-61's workflow."""
        return RegisterOnDemand(
            self.register,
            repository_oid=self.identity.repository_oid,
            mime_types=self.generate_on_demand.mime_types,
        )

    @cached_property
    def update(self) -> UpdateDocuments:
        """Return the workflow of ITI-57 and ITI-92."""
        return UpdateDocuments(self.facts, self.documents, self.register)

    @cached_property
    def remove_metadata(self) -> RemoveMetadata:
        """Return ITI-62's workflow."""
        return RemoveMetadata(self.facts, self.documents)

    @cached_property
    def held(self) -> HeldDocuments:
        """Return what our repository holds."""
        return HeldDocuments(self.views)

    @cached_property
    def remove_documents(self) -> RemoveDocuments:
        """Return ITI-86's workflow."""
        return RemoveDocuments(
            self.facts, self.held, self.documents, repository_oid=self.identity.repository_oid
        )


def code_sets(told: str) -> CodeSets:
    """Return the code sets in a file, ours when none is told; raises BadSettings."""
    path = Path(told) if told else schemas.path("codes/affinity-domain.json")
    try:
        return read_code_sets(path.read_bytes())
    except OSError as problem:
        raise BadSettings("domain.codes cannot be read") from problem
    except (msgspec.MsgspecError, SoapFault) as problem:
        raise BadSettings(f"domain.codes is no file of code sets: {problem}") from problem
