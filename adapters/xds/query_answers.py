"""What each stored query selects, written with the document index's look-ups.

Implements ITI TF-2 3.18.4.1.2.3.7 (one function a query). Pure but for the reading it is given;
called by `iti18_registry_stored_query.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from adapters.xds.query_conditions import (
    content_filter,
    document_filter,
    excluding_filter,
    folder_filter,
)
from adapters.xds.refusals import QueryParameterMalformed
from adapters.xds.stored_query import StoredQuery
from kernel.identifiers import PatientId, PatientKeys
from projections.document_index.filters import FolderFilter, SubmissionSetFilter
from projections.document_index.view import (
    AssociationRow,
    DocumentRow,
    FolderRow,
    Reading,
    SubmissionSetRow,
)
from registry.documents.values import AssociationType

_HAS_MEMBER: Final = str(AssociationType.HAS_MEMBER)
_DOCUMENT: Final = "$XDSDocumentEntry"


@dataclass(slots=True)
class Found:
    """The objects a query selects."""

    documents: list[DocumentRow] = field(default_factory=list)
    submission_sets: list[SubmissionSetRow] = field(default_factory=list)
    folders: list[FolderRow] = field(default_factory=list)
    associations: list[AssociationRow] = field(default_factory=list)

    def count(self) -> int:
        """Return how many objects there are."""
        return (
            len(self.documents)
            + len(self.submission_sets)
            + len(self.folders)
            + len(self.associations)
        )

    def uuids(self) -> list[UUID]:
        """Return the entryUUIDs of all objects."""
        return [
            *(row.entry_uuid for row in self.documents),
            *(row.entry_uuid for row in self.submission_sets),
            *(row.entry_uuid for row in self.folders),
            *(row.entry_uuid for row in self.associations),
        ]

    def patients(self) -> frozenset[UUID]:
        """Return the patients the objects belong to."""
        return frozenset(
            [
                *(row.patient_key for row in self.documents),
                *(row.patient_key for row in self.submission_sets),
                *(row.patient_key for row in self.folders),
                *(row.patient_key for row in self.associations),
            ]
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """A query in hand: its parameters, the open reading, and what it may return at most."""

    query: StoredQuery
    look: Reading
    patient_keys: PatientKeys
    limit: int

    def patient(self, name: str) -> tuple[UUID, ...]:
        """Return the key of the patient a parameter names."""
        return (self.patient_keys.key(self.query.patient(name)),)

    def patients(self, name: str) -> tuple[UUID, ...] | None:
        """Return the keys of the patients a parameter names, None when it is not given."""
        return tuple(map(self.patient_keys.key, self.query.patients(name))) or None


def patients_named(query: StoredQuery) -> tuple[PatientId, ...]:
    """Return the patients a query names, none for those that ask by identifiers."""
    name = _PATIENTS.get(query.query_id, "")
    if name == "$patientId":
        name = _patient_of_all(query)
    return query.patients(name)


def _find_documents(asked: Asked) -> Found:
    patient = asked.patient("$XDSDocumentEntryPatientId")
    wanted = document_filter(asked.query)
    return Found(documents=asked.look.find_documents(patient, wanted, limit=asked.limit))


def _find_documents_exclude(asked: Asked) -> Found:
    query, patient = asked.query, asked.patient(f"{_DOCUMENT}PatientId")
    wanted = excluding_filter(query)
    return Found(documents=asked.look.find_documents(patient, wanted, limit=asked.limit))


def _find_documents_by_reference_id(asked: Asked) -> Found:
    asked.query.groups("$XDSDocumentEntryReferenceIdList", required=True)
    return _find_documents(asked)


def _find_submission_sets(asked: Asked) -> Found:
    query, prefix = asked.query, "$XDSSubmissionSet"
    patient = asked.patient(f"{prefix}PatientId")
    wanted = SubmissionSetFilter(
        statuses=query.statuses(f"{prefix}Status"),
        source_ids=query.many(f"{prefix}SourceId"),
        submission=query.times(f"{prefix}SubmissionTime"),
        authors=query.many(f"{prefix}AuthorPerson"),
        content_type_codes=query.codes(f"{prefix}ContentType"),
    )
    return Found(submission_sets=asked.look.find_submission_sets(patient, wanted))


def _find_folders(asked: Asked) -> Found:
    patient = asked.patient("$XDSFolderPatientId")
    return Found(folders=asked.look.find_folders(patient, folder_filter(asked.query)))


def _get_all(asked: Asked) -> Found:
    query, look = asked.query, asked.look
    patient = asked.patient(_patient_of_all(query))
    documents = content_filter(query, query.statuses("$XDSDocumentEntryStatus"))
    sets = SubmissionSetFilter(statuses=query.statuses("$XDSSubmissionSetStatus"))
    folders = FolderFilter(statuses=query.statuses("$XDSFolderStatus"))
    found = Found(
        documents=look.find_documents(patient, documents, limit=asked.limit),
        submission_sets=look.find_submission_sets(patient, sets),
        folders=look.find_folders(patient, folders),
    )
    inside = set(found.uuids())
    touching = look.associations(sources=inside)
    between = {row.entry_uuid for row in touching if row.target in inside}
    # A submission set's membership of an association is shown with the association.
    found.associations = [
        row for row in touching if row.entry_uuid in between or row.target in between
    ]
    return found


def _get_documents(asked: Asked) -> Found:
    return Found(documents=_documents_named(asked, with_logical_id=True))


def _get_folders(asked: Asked) -> Found:
    query, look = asked.query, asked.look
    name = query.exactly_one_of("$XDSFolderEntryUUID", "$XDSFolderUniqueId", "$XDSFolderLogicalID")
    if name.endswith("UniqueId"):
        return Found(folders=look.folders(unique_ids=query.many(name)))
    if name.endswith("LogicalID"):
        return Found(folders=look.folders(logical_ids=_logical_ids(query, name)))
    # Who names a version by its entryUUID is shown that one.
    return Found(folders=look.every_version().folders(entry_uuids=query.uuids(name)))


def _get_associations(asked: Asked) -> Found:
    uuids = asked.query.uuids("$uuid", required=True)
    return Found(associations=asked.look.associations(sources=uuids, targets=uuids))


def _get_documents_and_associations(asked: Asked) -> Found:
    documents = _documents_named(asked)
    uuids = [row.entry_uuid for row in documents]
    return Found(
        documents=documents, associations=asked.look.associations(sources=uuids, targets=uuids)
    )


def _get_submission_sets(asked: Asked) -> Found:
    uuids = asked.query.uuids("$uuid", required=True)
    members = _members(asked.look.associations(targets=uuids))
    sets = asked.look.submission_sets(entry_uuids=[row.source for row in members])
    ours = {row.entry_uuid for row in sets}
    return Found(submission_sets=sets, associations=[row for row in members if row.source in ours])


def _get_submission_set_and_contents(asked: Asked) -> Found:
    query, look = asked.query, asked.look
    name = query.exactly_one_of("$XDSSubmissionSetEntryUUID", "$XDSSubmissionSetUniqueId")
    query.one(name)
    if name.endswith("UniqueId"):
        sets = look.submission_sets(unique_ids=query.many(name))
    else:
        sets = look.submission_sets(entry_uuids=query.uuids(name))
    if not sets:
        return Found()
    members = _members(look.associations(sources=[row.entry_uuid for row in sets]))
    targets = [row.target for row in members]
    found = Found(
        documents=_filtered(asked, targets),
        submission_sets=sets,
        folders=look.folders(entry_uuids=targets),
    )
    contents = set(found.uuids())
    # Folder memberships that this submission set made, or that join what it holds.
    joined = {row.entry_uuid: row for row in look.associations(entry_uuids=targets)}
    joined |= {
        row.entry_uuid: row
        for row in _members(look.associations(sources=[row.entry_uuid for row in found.folders]))
        if row.target in contents
    }
    # What a parameter filtered away takes its memberships along.
    hidden = set(targets) - contents - joined.keys()
    joined = {uuid: row for uuid, row in joined.items() if row.target not in hidden}
    found.associations = [
        *(row for row in members if row.target in contents or row.target in joined),
        *joined.values(),
    ]
    return found


def _get_folder_and_contents(asked: Asked) -> Found:
    query, look = asked.query, asked.look
    name = query.exactly_one_of("$XDSFolderEntryUUID", "$XDSFolderUniqueId")
    query.one(name)
    if name.endswith("UniqueId"):
        folders = look.folders(unique_ids=query.many(name))
    else:
        folders = look.folders(entry_uuids=query.uuids(name))
    members = _members(look.associations(sources=[row.entry_uuid for row in folders]))
    documents = _filtered(asked, [row.target for row in members])
    shown = {row.entry_uuid for row in documents}
    return Found(
        documents=documents,
        folders=folders,
        associations=[row for row in members if row.target in shown],
    )


def _get_folders_for_document(asked: Asked) -> Found:
    uuids = [row.entry_uuid for row in _documents_named(asked, single=True)]
    members = _members(asked.look.associations(targets=uuids))
    return Found(folders=asked.look.folders(entry_uuids=[row.source for row in members]))


def _get_related_documents(asked: Asked) -> Found:
    types = frozenset(asked.query.many("$AssociationTypes", required=True))
    start = {row.entry_uuid for row in _documents_named(asked, single=True)}
    related = [
        row
        for row in asked.look.associations(sources=start, targets=start)
        if row.type in types and row.type != _HAS_MEMBER
    ]
    if not related:
        return Found()
    ends = [end for row in related for end in (row.source, row.target)]
    documents = _filtered(asked, ends)
    shown = {row.entry_uuid for row in documents}
    return Found(
        documents=documents,
        associations=[row for row in related if row.source in shown and row.target in shown],
    )


def _filtered(asked: Asked, uuids: Iterable[UUID]) -> list[DocumentRow]:
    """Return those of these documents that the content parameters let through."""
    return asked.look.documents(entry_uuids=uuids, wanted=content_filter(asked.query))


def _documents_named(
    asked: Asked, *, with_logical_id: bool = False, single: bool = False
) -> list[DocumentRow]:
    query, look, prefix = asked.query, asked.look, "$XDSDocumentEntry"
    names = [f"{prefix}EntryUUID", f"{prefix}UniqueId"]
    if with_logical_id:
        names.append(f"{prefix}LogicalID")
    name = query.exactly_one_of(*names)
    if single:
        query.one(name)
    if name.endswith("UniqueId"):
        return look.documents(unique_ids=query.many(name))
    if name.endswith("LogicalID"):
        return look.documents(logical_ids=_logical_ids(query, name))
    # Who names a version by its entryUUID is shown that one.
    return look.every_version().documents(entry_uuids=query.uuids(name))


def _patient_of_all(query: StoredQuery) -> str:
    # Consumers that name the patient as the other queries do are understood.
    named = not query.has("$patientId") and query.has(f"{_DOCUMENT}PatientId")
    return f"{_DOCUMENT}PatientId" if named else "$patientId"


def _logical_ids(query: StoredQuery, name: str) -> tuple[UUID, ...]:
    # All versions answer to a logicalID: who asks for it must know of versions.
    if query.metadata_level() < 2:
        raise QueryParameterMalformed(f"{name} needs $MetadataLevel 2", attribute="$MetadataLevel")
    return query.uuids(name)


def _members(rows: Iterable[AssociationRow]) -> list[AssociationRow]:
    return [row for row in rows if row.type == _HAS_MEMBER]


ANSWERS: Final[Mapping[str, Callable[[Asked], Found]]] = {
    "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d": _find_documents,
    "urn:uuid:4308b1df-36de-4bef-8e2e-ba91f593c435": _find_documents_exclude,
    "urn:uuid:12941a89-e02e-4be5-967c-ce4bfc8fe492": _find_documents_by_reference_id,
    "urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9": _find_submission_sets,
    "urn:uuid:958f3006-baad-4929-a4de-ff1114824431": _find_folders,
    "urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3": _get_all,
    "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4": _get_documents,
    "urn:uuid:5737b14c-8a1a-4539-b659-e03a34a5e1e4": _get_folders,
    "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155": _get_associations,
    "urn:uuid:bab9529a-4a10-40b3-a01f-f68a615d247a": _get_documents_and_associations,
    "urn:uuid:51224314-5390-4169-9b91-b1980040715a": _get_submission_sets,
    "urn:uuid:e8e3cb2c-e39c-46b9-99e4-c12f57260b83": _get_submission_set_and_contents,
    "urn:uuid:b909a503-523d-4517-8acf-8e5834dfc4c7": _get_folder_and_contents,
    "urn:uuid:10cae35a-c7f9-4cf5-b61e-fc3278ffb578": _get_folders_for_document,
    "urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6": _get_related_documents,
}
"""Query id -> what it selects."""

_PATIENTS: Final[Mapping[str, str]] = {
    "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d": "$XDSDocumentEntryPatientId",
    "urn:uuid:4308b1df-36de-4bef-8e2e-ba91f593c435": "$XDSDocumentEntryPatientId",
    "urn:uuid:12941a89-e02e-4be5-967c-ce4bfc8fe492": "$XDSDocumentEntryPatientId",
    "urn:uuid:3d1bdb10-39a2-11de-89c2-2f44d94eaa9f": "$XDSDocumentEntryPatientId",
    "urn:uuid:1191642d-86c4-42d8-b784-f95445f9f0d5": "$XDSDocumentEntryPatientId",
    "urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9": "$XDSSubmissionSetPatientId",
    "urn:uuid:958f3006-baad-4929-a4de-ff1114824431": "$XDSFolderPatientId",
    "urn:uuid:50d3f5ac-39a2-11de-a1ca-b366239e58df": "$XDSFolderPatientId",
    "urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3": "$patientId",
}
"""Query id -> the parameter that names its patients."""
