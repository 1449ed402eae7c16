"""The metadata of the demo's submissions as ebRIM XML, and the one table of codes they use.

Implements the coding of ITI TF-3 4.2.3 (DocumentEntry, SubmissionSet, HasMember) as a document
source writes it; codes are those of `schemas/codes`. Called by `provide`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from xml.etree.ElementTree import Element, SubElement

from kernel.identifiers import stable_uid, stream_id
from server.demo.documents import DemoDocument, DemoSubmission
from server.demo.people import Patient

RIM: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
LCM: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
XDS: Final = "urn:ihe:iti:xds-b:2007"

Code = tuple[str, str, str]

_LOINC: Final = "2.16.840.1.113883.6.1"
_SNOMED: Final = "2.16.840.1.113883.6.96"
_DCM: Final = "1.2.840.10008.2.6.1"
_CARD: Final = "1.3.6.1.4.1.19376.1.2.6.1"
_FORMATS: Final = "1.3.6.1.4.1.19376.1.2.3"

CODES: Final[Mapping[str, Code]] = {
    "class": ("REPORTS", _CARD, "Reports"),
    "class picture": ("IMAGES", _CARD, "Images"),
    "type": ("18748-4", _LOINC, "Diagnostic imaging study"),
    "confidentiality": ("N", "2.16.840.1.113883.5.25", "normal"),
    "confidentiality vip": ("R", "2.16.840.1.113883.5.25", "restricted"),
    "facility": ("22232009", _SNOMED, "Hospital"),
    "practice": ("394914008", _SNOMED, "Radiology"),
    "format pdf": ("urn:ihe:rad:PDF", _FORMATS, "Radiology report as PDF"),
    "format text": ("urn:ihe:rad:TEXT", _FORMATS, "Radiology report as text"),
    "format cda": (
        "urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013", _FORMATS,
        "CDA imaging report, structured headings",
    ),
    "format jpeg": (
        "urn:ihe:iti:xds:2017:mimeTypeSufficient", _FORMATS, "The media type says it all"),
    "format png": (
        "urn:ihe:iti:xds:2017:mimeTypeSufficient", _FORMATS, "The media type says it all"),
}  # fmt: skip
"""Every code the demo sends: value, coding scheme, display."""

TYPES: Final[Mapping[str, Code]] = {
    "CT": ("18747-6", _LOINC, "CT study"),
    "MR": ("18755-9", _LOINC, "MRI study"),
    "US": ("18760-9", _LOINC, "Ultrasound study"),
    "NM": ("18757-5", _LOINC, "Nuclear medicine study"),
    "PT": ("18757-5", _LOINC, "Nuclear medicine study"),
    "XA": ("18745-0", _LOINC, "Cardiac catheterization study"),
    "ECG": ("11524-6", _LOINC, "EKG study"),
    "ES": ("18751-8", _LOINC, "Endoscopy study"),
    "SM": ("11526-1", _LOINC, "Pathology study"),
    "DX": ("11528-7", _LOINC, "Radiology report"),
    "CR": ("11528-7", _LOINC, "Radiology report"),
}
"""typeCode by modality; others are a diagnostic imaging study."""

PRACTICES: Final[Mapping[str, Code]] = {
    "心电图室": ("394579002", _SNOMED, "Cardiology"),
    "介入导管室": ("394579002", _SNOMED, "Cardiology"),
    "消化内镜中心": ("394584008", _SNOMED, "Gastroenterology"),
    "病理科": ("394915009", _SNOMED, "General pathology"),
    "核医学科": ("394649004", _SNOMED, "Nuclear medicine"),
    "眼科": ("394594003", _SNOMED, "Ophthalmology"),
}
"""Practice settings of the departments that are not Radiology."""

_STATUS: Final = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
_STABLE: Final = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
_SET_NODE: Final = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
_REGISTRY_OBJECT: Final = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"
_HAS_MEMBER: Final = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
_REFERENCE_IDS: Final = "urn:ihe:iti:xds:2013:referenceIdList"
_ACCESSIONS: Final = stable_uid("demo", "accessions")
_LOCAL_HOURS: Final = timedelta(hours=8)
"""The hospital's clock (Asia/Shanghai) before UTC; DTM values are UTC."""


class Metadata:
    """Writes submissions for one affinity domain."""

    def __init__(self, authority: str) -> None:
        self._authority = authority
        self._source = stable_uid("demo", "document source")

    def request(self, submission: DemoSubmission) -> tuple[Element, dict[str, bytes]]:
        """Return the ITI-41 body without its documents, and these by DocumentEntry id."""
        body = Element(f"{{{XDS}}}ProvideAndRegisterDocumentSetRequest")
        objects = SubElement(
            SubElement(body, f"{{{LCM}}}SubmitObjectsRequest"), f"{{{RIM}}}RegistryObjectList"
        )
        contents: dict[str, bytes] = {}
        for document in submission.documents:
            entry = self._entry(document)
            objects.append(entry)
            contents[entry.get("id", "")] = document.content
        package = self._submission_set(submission)
        objects.append(package)
        for entry_id in contents:
            objects.append(_has_member(package.get("id", ""), entry_id))
        return body, contents

    def _entry(self, document: DemoDocument) -> Element:
        exam, patient = document.exam, document.exam.patient
        entry_id = _urn(stream_id("demo entry", document.unique_id))
        entry = Element(
            f"{{{RIM}}}ExtrinsicObject",
            {"id": entry_id, "objectType": _STABLE, "mimeType": document.mime_type,
             "status": _STATUS},
        )  # fmt: skip
        references = (
            f"{exam.accession}^^^&{_ACCESSIONS}&ISO^urn:ihe:iti:xds:2013:accession",
            f"{exam.study_uid}^^^^urn:ihe:iti:xds:2016:studyInstanceUID",
        )
        for name, values in (
            ("creationTime", [_dtm(document.created)]),
            ("hash", [hashlib.sha1(document.content).hexdigest()]),  # noqa: S324 - XDS says SHA-1
            ("size", [str(len(document.content))]),
            ("languageCode", ["zh-CN"]),
            ("serviceStartTime", [_dtm(exam.when)]),
            ("serviceStopTime", [_dtm(exam.when + timedelta(minutes=15))]),
            ("sourcePatientId", [self._cx(patient)]),
            ("sourcePatientInfo", _patient_info(patient, self._cx(patient))),
            (_REFERENCE_IDS, list(references)),
        ):
            _slot(entry, name, values)
        _text(entry, "Name", document.title)
        _text(entry, "Description", f"{exam.description} {exam.accession}")
        _author(entry, "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d", document)
        picture = document.kind in {"jpeg", "png"}
        for scheme, code in (
            (_CLASS, CODES["class picture" if picture else "class"]),
            (_CONFIDENTIALITY, CODES["confidentiality vip" if patient.vip else "confidentiality"]),
            (_EVENT, (document.modality, _DCM, document.modality)),
            (_FORMAT, CODES[f"format {document.kind}"]),
            (_FACILITY, CODES["facility"]),
            (_PRACTICE, PRACTICES.get(exam.department, CODES["practice"])),
            (_TYPE, TYPES.get(document.modality, CODES["type"])),
        ):
            _classify(entry, scheme, code)
        _identify(entry, "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
                  "XDSDocumentEntry.patientId", self._cx(patient))  # fmt: skip
        _identify(entry, "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab",
                  "XDSDocumentEntry.uniqueId", document.unique_id)  # fmt: skip
        return entry

    def _submission_set(self, submission: DemoSubmission) -> Element:
        first = submission.documents[0]
        package = Element(
            f"{{{RIM}}}RegistryPackage",
            {"id": _urn(stream_id("demo set", submission.unique_id)), "status": _STATUS,
             "objectType": f"{_REGISTRY_OBJECT}RegistryPackage"},
        )  # fmt: skip
        _slot(package, "submissionTime", [_dtm(first.created + timedelta(minutes=5))])
        _text(package, "Name", submission.title)
        _identified(
            SubElement(
                package, f"{{{RIM}}}Classification",
                {"classifiedObject": package.get("id", ""), "classificationNode": _SET_NODE},
            ),
            package, "node",
        )  # fmt: skip
        _author(package, "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d", first)
        _classify(package, "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500", CODES["type"])
        for scheme, name, value in (
            ("urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446", "patientId",
             self._cx(submission.exam.patient)),
            ("urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8", "uniqueId", submission.unique_id),
            ("urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832", "sourceId", self._source),
        ):  # fmt: skip
            _identify(package, scheme, f"XDSSubmissionSet.{name}", value)
        return package

    def _cx(self, patient: Patient) -> str:
        return f"{patient.id}^^^&{self._authority}&ISO"


_CLASS: Final = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
_CONFIDENTIALITY: Final = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
_EVENT: Final = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"
_FORMAT: Final = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
_FACILITY: Final = "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"
_PRACTICE: Final = "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead"
_TYPE: Final = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"


def _has_member(package_id: str, entry_id: str) -> Element:
    association = Element(
        f"{{{RIM}}}Association",
        {"id": _urn(stream_id("demo member", package_id, entry_id)),
         "objectType": f"{_REGISTRY_OBJECT}Association", "associationType": _HAS_MEMBER,
         "sourceObject": package_id, "targetObject": entry_id},
    )  # fmt: skip
    _slot(association, "SubmissionSetStatus", ["Original"])
    return association


def _patient_info(patient: Patient, cx: str) -> list[str]:
    family, _, given = patient.ideographic.partition("^")
    return [
        f"PID-3|{cx}",
        f"PID-5|{family}^{given}",
        f"PID-7|{patient.birth_date:%Y%m%d}",
        f"PID-8|{patient.sex}",
    ]


def _author(target: Element, scheme: str, document: DemoDocument) -> None:
    exam = document.exam
    name = exam.reader.partition("=")[2].split("^")
    author = SubElement(
        target, f"{{{RIM}}}Classification",
        {"classificationScheme": scheme, "classifiedObject": target.get("id", ""),
         "nodeRepresentation": ""},
    )  # fmt: skip
    _identified(author, target, scheme)
    _slot(author, "authorPerson", [f"D1001^{name[0]}^{name[1]}"])
    _slot(author, "authorInstitution", [exam.campus])
    _slot(author, "authorRole", ["报告医师"])
    _slot(author, "authorSpecialty", [exam.department])


def _classify(target: Element, scheme: str, code: Code) -> None:
    classification = SubElement(
        target, f"{{{RIM}}}Classification",
        {"classificationScheme": scheme, "classifiedObject": target.get("id", ""),
         "nodeRepresentation": code[0]},
    )  # fmt: skip
    _identified(classification, target, scheme)
    _slot(classification, "codingScheme", [code[1]])
    _text(classification, "Name", code[2])


def _identify(target: Element, scheme: str, name: str, value: str) -> None:
    identifier = SubElement(
        target, f"{{{RIM}}}ExternalIdentifier",
        {"identificationScheme": scheme, "registryObject": target.get("id", ""), "value": value},
    )  # fmt: skip
    _identified(identifier, target, scheme)
    _text(identifier, "Name", name)


def _identified(child: Element, target: Element, part: str) -> None:
    kind = child.tag.rpartition("}")[2]
    child.set("objectType", f"{_REGISTRY_OBJECT}{kind}")
    child.set("id", _urn(stream_id("demo part", target.get("id", ""), part)))


def _slot(target: Element, name: str, values: Sequence[str]) -> None:
    slot = SubElement(target, f"{{{RIM}}}Slot", {"name": name})
    listed = SubElement(slot, f"{{{RIM}}}ValueList")
    for value in values:
        SubElement(listed, f"{{{RIM}}}Value").text = value


def _text(target: Element, element: str, text: str) -> None:
    SubElement(
        SubElement(target, f"{{{RIM}}}{element}"), f"{{{RIM}}}LocalizedString",
        {"value": text, "charset": "UTF-8", "{http://www.w3.org/XML/1998/namespace}lang": "zh-CN"},
    )  # fmt: skip


def _dtm(local: datetime) -> str:
    return (local - _LOCAL_HOURS).strftime("%Y%m%d%H%M%S")


def _urn(uuid: UUID) -> str:
    return f"urn:uuid:{uuid}"
