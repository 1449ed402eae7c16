"""Four departments file by IHE XDS; whoever may, lists images, reports and requests and fetches.

ITI-41, ITI-18, ITI-43 with sources of their own sourceId and document kinds: a manifest of images,
a picture, a CDA laboratory report, a PDF, a request form.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from adapters.xds import names
from kernel.identifiers import new_uid
from tests.support import foreign_xds as foreign
from tests.support import mllp, xds
from tests.support.foreign_xds import LOINC
from tests.support.manifests import KOS, foreign_kos
from tests.support.running import RunningPianku
from tests.support.soap import SoapClient

CLASS = "1.3.6.1.4.1.19376.1.2.6.1"
FORMAT = "1.3.6.1.4.1.19376.1.2.3"
FIND_SETS = "urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9"
CDA = '<ClinicalDocument xmlns="urn:hl7-org:v3"><title>血常规</title></ClinicalDocument>'.encode()


@dataclass(frozen=True)
class Paper:
    """What a department files."""

    source: str
    mime_type: str
    content: bytes
    kind: tuple[str, str]
    """classCode, typeCode in LOINC."""
    format_code: tuple[str, str]


def papers(study_uid: str, manifest_uid: str, patient_id: str, location: str) -> dict[str, Paper]:
    kos = foreign_kos(
        study_uid, {new_uid(): [new_uid()]}, sop_uid=manifest_uid, location=location,
        PatientID=patient_id, AccessionNumber="A-1",
    )  # fmt: skip
    return {
        "radiology": Paper("1.2.250.99.11", "application/dicom", kos, ("IMAGES", "18748-4"),
                           (KOS, "1.2.840.10008.2.6.1")),
        "ultrasound": Paper("1.2.250.99.12", "image/jpeg", b"\xff\xd8\xff\xe0 picture",
                            ("IMAGES", "18748-4"), ("urn:ihe:rad:TEXT", FORMAT)),
        "laboratory": Paper("1.2.250.99.13", "text/xml", CDA, ("REPORTS", "11502-2"),
                            ("urn:ihe:lab:xd-lab:2008", FORMAT)),
        "pathology": Paper("1.2.250.99.14", "application/pdf", b"%PDF-1.4 findings",
                           ("REPORTS", "11526-1"), ("urn:ihe:iti:xds-sd:pdf:2008", FORMAT)),
        "ward": Paper("1.2.250.99.15", "application/pdf", b"%PDF-1.4 request",
                      ("WORKFLOWS", "57133-1"), ("urn:ihe:iti:xds-sd:pdf:2008", FORMAT)),
    }  # fmt: skip


def file_(client: SoapClient, patient: str, unique_id: str, paper: Paper, study_uid: str) -> None:
    more = foreign.slot(
        names.REFERENCE_ID_LIST,
        f"{study_uid}^^^^urn:ihe:iti:xds:2016:studyInstanceUID",
        "A-1^^^&1.2.250.99.8&ISO^urn:ihe:iti:xds:2013:accession",
    )
    submit = foreign.one_document(
        patient, unique_id=unique_id, octets_elsewhere=False, more=more,
        events=[("CT", "1.2.840.10008.2.6.1")] if paper.format_code[0] == KOS else (),
        codes={
            names.CLASS_CODE: (paper.kind[0], CLASS),
            names.TYPE_CODE: (paper.kind[1], LOINC),
            names.FORMAT_CODE: paper.format_code,
        },
    )  # fmt: skip
    foreign.find(submit, "ExtrinsicObject").set("mimeType", paper.mime_type)
    source = foreign.find(submit, "ExternalIdentifier", identificationScheme=names.SOURCE_ID)
    source.set("value", paper.source)
    answer = foreign.provide(client, submit, {"Document01": paper.content})
    assert xds.status(answer) == xds.SUCCESS, answer.text()


@pytest.mark.tender("R-6.2.3.3", "R-6.2.9", "R-6.2.11")
def test_every_department_files_and_everybody_finds(pianku: RunningPianku) -> None:
    client, repository = SoapClient(pianku.http), pianku.demo["repository_oid"]
    own, study_uid = f"DEP{time.monotonic_ns()}", new_uid()
    patient = f"{own}^^^&{pianku.demo['assigning_authority']}&ISO"
    told = mllp.send(pianku.mllp_port, mllp.admission(own, pianku.demo["assigning_authority"]))
    assert mllp.accepted(told)
    manifest_uid = new_uid()
    filed = papers(study_uid, manifest_uid, own, repository)
    ids = {name: new_uid() for name in filed} | {"radiology": manifest_uid}
    for name, paper in filed.items():
        file_(client, patient, ids[name], paper, study_uid)

    listed = {xds.unique_id(entry): entry for entry in foreign.documents_of(client, patient)}
    assert set(listed) == set(ids.values())
    for name, paper in filed.items():
        entry = listed[ids[name]]
        assert xds.slot(entry, "repositoryUniqueId") == [repository]
        assert entry.get("mimeType") == paper.mime_type

    for kind, wanted in (
        ("IMAGES", {"radiology", "ultrasound"}),
        ("REPORTS", {"laboratory", "pathology"}),
        ("WORKFLOWS", {"ward"}),
    ):
        answer = foreign.query(client, xds.FIND_DOCUMENTS, {
            "$XDSDocumentEntryPatientId": f"'{patient}'",
            "$XDSDocumentEntryStatus": f"('{xds.APPROVED}')",
            "$XDSDocumentEntryClassCode": f"('{kind}^^{CLASS}')",
        })  # fmt: skip
        assert {xds.unique_id(e) for e in xds.objects(answer)} == {ids[name] for name in wanted}

    for paper in filed.values():
        answer = foreign.query(client, FIND_SETS, {
            "$XDSSubmissionSetPatientId": f"'{patient}'",
            "$XDSSubmissionSetStatus": f"('{xds.APPROVED}')",
            "$XDSSubmissionSetSourceId": f"('{paper.source}')",
        })  # fmt: skip
        assert len(xds.objects(answer)) == 1

    fetched = xds.retrieve(client, repository, list(ids.values()))
    assert fetched == {ids[name]: paper.content for name, paper in filed.items()}
