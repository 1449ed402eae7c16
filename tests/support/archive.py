"""A small archive for tests: a real SQLite ledger, the local tier, the intake, no server.

Called by tests of workflows and of the DICOM adapters.
"""

from __future__ import annotations

import hashlib
import io
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from adapters.storage.local import LocalBlobStore
from kernel.context import Envelope
from kernel.identifiers import PatientKeys
from kernel.ledger.ledger import EventLedger, open_postgres, open_sqlite
from kernel.ledger.sealing import KeyRing, MemoryRing
from kernel.ledger.topics import TopicTable
from kernel.refusals import Forbidden, Unauthenticated
from projections.availability import projection as availability_view
from projections.commitments import projection as commitments_view
from projections.database import ViewsDatabase, postgres_engine, sqlite_engine
from projections.procedure_steps import projection as procedure_steps_view
from projections.runner import Runner
from projections.storage_map import projection as storage_map
from projections.storage_map.view import StorageMap
from projections.study_index import projection as study_index
from projections.study_index.search import Searches
from projections.study_index.view import StudyIndex
from projections.workitems import projection as workitems_view
from projections.worklist import projection as worklist_view
from registry.access.values import NO_LIMITS, AeLimits, Resource, Subject
from registry.availability import events as availability
from registry.commitments import events as commitments
from registry.documents import events as documents
from registry.orders import events as orders
from registry.patients import events as patients
from registry.procedure_steps import events as procedure_steps
from registry.studies import events as studies
from registry.workitems import events as workitems
from repository.instances.header import identify
from repository.instances.stored import StoredInstances
from repository.objects import events as objects
from workflows.gather_instances import Offer
from workflows.identify_patient import PatientPolicy
from workflows.store_instances import InstanceIntake

AUTHORITY = "1.2.826.0.1.3680043.10.99"
_ROOMS = (studies, patients, documents, objects, commitments, orders)
FACTS = [
    fact
    for room in (*_ROOMS, procedure_steps, availability, workitems)
    for fact in vars(room).values()
    if isinstance(fact, type) and getattr(fact, "TOPIC", None)
]


def open_facts(folder: Path, ring: KeyRing, postgres: tuple[str, str] | None = None) -> EventLedger:
    """Open the facts ledger of an archive's folder, or of (dsn, schema)."""
    folder.mkdir(parents=True, exist_ok=True)
    if postgres is not None:
        dsn, schema = postgres
        return open_postgres(dsn, "facts", topics=TopicTable(FACTS), ring=ring, schema=schema)
    return open_sqlite(folder / "facts.db", "facts", topics=TopicTable(FACTS), ring=ring)


class OpenGuard:
    """Lets AE titles in, remembers what was recorded; `denied` actions are refused."""

    def __init__(self, *, titles: set[str] | None = None, denied: set[str] = frozenset()) -> None:
        self.titles, self.denied = titles, denied
        self.recorded: list[dict[str, Any]] = []
        self.destinations: dict[str, tuple[str, int]] = {}
        self.limits: dict[str, AeLimits] = {}
        self.fingerprints: dict[str, str | None] = {}

    def ae_subject(self, calling_ae: str, address: str, fingerprint: str | None = None) -> Subject:
        self.fingerprints[calling_ae] = fingerprint
        if self.titles is not None and calling_ae not in self.titles:
            raise Unauthenticated("the calling application is not allowed from this address")
        return Subject(calling_ae, "ae", frozenset({"system"}), address)

    def ae_limits(self, ae_title: str) -> AeLimits:
        return self.limits.get(ae_title, NO_LIMITS)

    def check(
        self, subject: Subject, action: str, resource: Resource, *, transaction: str = ""
    ) -> None:
        if action in self.denied:
            self.record(subject, action, "denied", transaction)
            raise Forbidden("the caller may not do this")

    def record(
        self, subject: Subject, action: str, outcome: str, transaction: str, **more: Any
    ) -> None:
        self.recorded.append(
            {
                "who": subject.name,
                "action": action,
                "outcome": outcome,
                "transaction": transaction,
                **more,
            }
        )

    def envelope(self, subject: Subject, protocol: str, *, source: str = "") -> Envelope:
        return Envelope(
            subject=subject.name,
            subject_kind=subject.kind,
            protocol=protocol,
            address=subject.address,
            source=source,
        )

    def destination(self, ae_title: str) -> tuple[str, int] | None:
        return self.destinations.get(ae_title)


class Views:
    """The study index and the storage map of an archive, brought up to date by a thread."""

    def __init__(
        self,
        ledger: EventLedger,
        blobs: LocalBlobStore,
        folder: Path,
        postgres: tuple[str, str] | None,
    ) -> None:
        path = str(folder / "views.db")
        source = StoredInstances(blobs)
        if postgres is None:
            reader, writer = sqlite_engine(path, writer=False), sqlite_engine(path, writer=True)
        else:
            reader = writer = postgres_engine(postgres[0], schema=postgres[1])
        self.database = ViewsDatabase(
            reader,
            writer,
            [
                study_index.spec(source),
                storage_map.spec(source),
                commitments_view.SPEC,
                worklist_view.SPEC,
                procedure_steps_view.SPEC,
                availability_view.SPEC,
                workitems_view.SPEC,
            ],
            {"facts": ledger.head},
        )
        self.database.create()
        self.runner = Runner(self.database, {"facts": ledger})
        self.searches = Searches(self.database)
        self.index = StudyIndex(self.database)
        self.map = StorageMap(self.database)
        self._thread = threading.Thread(target=self.runner.run)
        self._thread.start()

    def close(self) -> None:
        self.runner.stop()
        self._thread.join(20)
        self.database.close()


@dataclass
class Archive:
    """What a test looks at."""

    ledger: EventLedger
    blobs: LocalBlobStore
    intake: InstanceIntake
    patient_keys: PatientKeys
    folder: Path
    postgres: tuple[str, str] | None = None
    _views: Views | None = None

    @property
    def views(self) -> Views:
        """Return the views, which run from the first time they are asked for."""
        if self._views is None:
            self._views = Views(self.ledger, self.blobs, self.folder, self.postgres)
        return self._views

    def facts(self, kind: type | tuple[type, ...] = object) -> list[Any]:
        """Return the facts of a kind, in order."""
        return [r.fact for r in self.ledger.read(0, 100_000) if isinstance(r.fact, kind)]

    def stored(self) -> dict[str, str]:
        """Return SOP Instance UID -> object key of everything recorded."""
        return {
            uid: key
            for fact in self.facts(studies.InstancesStored)
            for uid, key in zip(fact.sop_uids, fact.sha256, strict=True)
        }

    def offer(self, octets: bytes) -> Offer:
        """Return octets as an adapter would offer them."""
        incoming = self.blobs.incoming()
        incoming.write(octets)
        incoming.seal()
        return Offer(incoming, identify(octets))

    def close(self) -> None:
        """Close everything."""
        if self._views is not None:
            self._views.close()
        self.intake.close()
        self.ledger.close()
        self.blobs.close()


def open_archive(
    folder: Path,
    *,
    ring: KeyRing | None = None,
    postgres: tuple[str, str] | None = None,
    **policy: Any,
) -> Archive:
    """Open (and make) an archive in a folder; its ledger may lie in PostgreSQL."""
    ledger = open_facts(folder, ring or MemoryRing(), postgres)
    blobs = LocalBlobStore(folder / "blobs")
    keys = PatientKeys(b"k" * 32)
    intake = InstanceIntake(ledger, blobs, keys, PatientPolicy(AUTHORITY, **policy))
    return Archive(ledger, blobs, intake, keys, folder, postgres)


def stable(*parts: object) -> str:
    """Return a UID that always belongs to `parts`."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:15]
    return f"2.25.{int.from_bytes(digest, 'big')}"


def instance(
    number: int = 1,
    *,
    study: str = "A",
    series: str = "1",
    syntax: UID = ExplicitVRLittleEndian,
    size: int = 64,
    **attributes: Any,
) -> Dataset:
    """Return a small CT image; equal arguments give equal octets."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = stable(study, series, number)
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber = "20260301", "101500", f"ACC-{study}"
    ds.Modality, ds.StudyDescription, ds.SeriesDescription = "CT", f"Study {study}", "Axial"
    ds.PatientName, ds.PatientID = "Test^Archive", f"PAT-{study}"
    ds.PatientBirthDate, ds.PatientSex = "19700102", "O"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = stable(study), stable(study, series)
    ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = "1", int(series), number
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows = ds.Columns = size
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = bytes((number + n // 7) % 251 for n in range(size)) * (2 * size)
    for keyword, value in attributes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    ds.file_meta.MediaStorageSOPClassUID = ds.get("SOPClassUID", CTImageStorage)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.get("SOPInstanceUID", "1.2.3")
    return ds


def octets(ds: Dataset) -> bytes:
    """Return a data set as a Part 10 file."""
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()
