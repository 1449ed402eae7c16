"""The imaging summary of a patient: his studies and documents, as text or XML, made on demand.

The built-in generator of on-demand documents (ITI TF-1 10.4.12). Given to `generate_on_demand`;
it tells no time of its own making, so that nothing changes unless the patient's record did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID
from xml.etree import ElementTree as ET

import sqlalchemy as sa

from projections.document_index.filters import DocumentFilter
from projections.document_index.view import DocumentIndex
from projections.study_index.view import StudyIndex, StudyRow
from registry.documents.values import STABLE, AssociationType, DocumentEntry, Status

NAMESPACE: Final = "urn:pianku:imaging-summary:1"
TEXT: Final = "text/plain"
XML: Final = frozenset({"text/xml", "application/xml"})
_ENGLISH: Final = {
    "title": "Imaging summary",
    "patient": "Patient",
    "studies": "Studies",
    "documents": "Documents",
    "none": "none",
    "instances": "instances",
}
_CHINESE: Final = {
    "title": "影像摘要",
    "patient": "患者",
    "studies": "检查",
    "documents": "文档",
    "none": "无",
    "instances": "幅",
}


@dataclass(frozen=True, slots=True)
class _Record:
    patient_id: str
    studies: tuple[StudyRow, ...]
    documents: tuple[DocumentEntry, ...]


class ImagingSummary:
    """Makes the summary; a `Generator`."""

    mime_types: ClassVar[frozenset[str]] = frozenset({TEXT, *XML})

    def __init__(self, studies: StudyIndex, documents: DocumentIndex) -> None:
        self._studies = studies
        self._documents = documents

    def __call__(self, entry: DocumentEntry, patient_key: UUID) -> bytes:
        """Return the summary in the entry's MIME type; text in its language (zh, else English)."""
        record = _Record(
            entry.patient_id,
            self._studies.studies_of_patient(patient_key, policy=sa.true()),
            tuple(self._documents_of(patient_key)),
        )
        if entry.mime_type in XML:
            return _xml(record)
        words = _CHINESE if entry.language_code.lower().startswith("zh") else _ENGLISH
        return _text(record, words).encode()

    def _documents_of(self, patient_key: UUID) -> Iterable[DocumentEntry]:
        """Yield the approved documents; snapshots of summaries are no news."""
        wanted = DocumentFilter(statuses=(Status.APPROVED,), object_types=(STABLE,))
        with self._documents.reading() as look:
            rows = look.find_documents((patient_key,), wanted)
            edges = look.associations(sources=[row.entry_uuid for row in rows])
        snapshots = {e.source for e in edges if e.type == AssociationType.IS_SNAPSHOT_OF}
        yield from (row.entry() for row in rows if row.entry_uuid not in snapshots)


def _text(record: _Record, words: Mapping[str, str]) -> str:
    studies = [
        _line(
            _date(study.study_date),
            "/".join(study.modalities),
            study.description,
            study.accession,
            f"{study.instance_count} {words['instances']}",
            study.study_uid,
        )
        for study in record.studies
    ]
    documents = [
        _line(
            _date(entry.creation_time),
            entry.title,
            entry.type_code.display if entry.type_code else "",
            entry.mime_type,
            entry.unique_id,
        )
        for entry in record.documents
    ]
    return "\n".join(
        [
            words["title"],
            f"{words['patient']}: {record.patient_id}",
            "",
            f"{words['studies']}: {len(studies) or words['none']}",
            *studies,
            "",
            f"{words['documents']}: {len(documents) or words['none']}",
            *documents,
            "",
        ]
    )


def _line(*values: str) -> str:
    return "- " + " | ".join(" ".join(value.split()) for value in values if value)


def _date(dtm: str) -> str:
    return "-".join(part for part in (dtm[:4], dtm[4:6], dtm[6:8]) if part)


def _xml(record: _Record) -> bytes:
    root = ET.Element("imagingSummary", {"xmlns": NAMESPACE, "patientId": record.patient_id})
    for study in record.studies:
        attributes = {
            "studyInstanceUID": study.study_uid,
            "date": study.study_date,
            "modalities": " ".join(study.modalities),
            "description": study.description,
            "accessionNumber": study.accession,
            "series": str(study.series_count),
            "instances": str(study.instance_count),
        }
        ET.SubElement(root, "study", {k: _clean(v) for k, v in attributes.items() if v})
    for entry in record.documents:
        attributes = {
            "uniqueId": entry.unique_id,
            "repositoryUniqueId": entry.repository_unique_id,
            "created": entry.creation_time,
            "title": entry.title,
            "type": entry.type_code.display if entry.type_code else "",
            "mimeType": entry.mime_type,
        }
        ET.SubElement(root, "document", {k: _clean(v) for k, v in attributes.items() if v})
    octets: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return octets


def _clean(text: str) -> str:
    """Return the text without what XML cannot hold; devices send what they like."""
    return "".join(c for c in text if c >= " " and c not in "\ufffe\uffff")
