"""RAD-68 over the wire: manifests from elsewhere are filed; contradictions are refused by name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from adapters.xds import names
from adapters.xds.rad68_provide_and_register_imaging import ExamineManifests, ManifestChecks
from kernel.codes import Code
from registry.documents.values import AssociationType
from tests.support import xds
from tests.support.manifests import KOS, coded, foreign_kos
from tests.support.soap import Answer, SoapClient
from tests.support.submissions import (
    DCM,
    PATIENT,
    REPOSITORY,
    SNOMED,
    association,
    entry,
    submission,
)
from tests.support.xds_node import Node, provide, without_octets

STUDY, OTHER_STUDY = "1.2.826.0.1.3680043.8.498.71", "1.2.826.0.1.3680043.8.498.72"
SERIES = {f"{STUDY}.1": (f"{STUDY}.1.1", f"{STUDY}.1.2"), f"{STUDY}.2": (f"{STUDY}.2.1",)}
ACCESSION = "ACC-77^^^&1.2.250.99.8&ISO^urn:ihe:iti:xds:2013:accession"
REFERENCES = (ACCESSION, f"{STUDY}^^^^urn:ihe:iti:xds:2016:studyInstanceUID")


def described(**changes: Any):
    """The DocumentEntry of a manifest, as RAD TF-2 4.68.4.1.2.3.2 wants it."""
    made = entry(
        mime_type="application/dicom",
        unique_id=generate_uid(),
        format_code=Code(KOS, DCM, "Key Object Selection Document"),
        class_code=Code("IMAGES", "1.3.6.1.4.1.19376.1.2.6.1", "Images"),
        event_codes=(Code("CT", DCM, "CT"), Code("51185008", SNOMED, "Chest")),
        reference_ids=REFERENCES,
        service_start_time="202604010930",
    )
    return without_octets(msgspec.structs.replace(made, **changes))


def send(
    client: SoapClient, manifest, kos: bytes | None = None, *more, **attributes: Any
) -> Answer:
    if kos is None:
        attributes.setdefault("sop_uid", manifest.unique_id)
        kos = foreign_kos(STUDY, SERIES, **attributes)
    return provide(client, submission(manifest, *more), {manifest.entry_uuid: kos})


def told(answer: Answer) -> list[tuple[str, str, str]]:
    """Code, attribute and severity of each RegistryError."""
    return [
        (
            str(e.get("errorCode")),
            str(e.get("location")).removeprefix("DocumentEntry."),
            str(e.get("severity")).rpartition(":")[2],
        )
        for e in answer.body.iterfind(".//rs:RegistryError", xds.NAMES)
    ]


def registered(client: SoapClient, unique_id: str) -> bool:
    return any(xds.unique_id(found) == unique_id for found in xds.find_documents(client, PATIENT))


def accesses(node: Node) -> list[Any]:
    return [r.fact for r in node.place.access.read(0, 100_000) if r.fact.transaction == "RAD-68"]


@pytest.mark.tender("R-6.2.3.1", "H-2")
def test_rad68_a_foreign_manifest_is_filed_without_remark(node: Node, client: SoapClient) -> None:
    manifest = described()
    before = len(accesses(node))
    kos = foreign_kos(STUDY, SERIES, sop_uid=manifest.unique_id)
    answer = send(client, manifest, kos)
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    assert told(answer) == []
    (recorded,) = accesses(node)[before:]
    assert (recorded.outcome, recorded.count) == ("success", 1)
    assert xds.retrieve(client, REPOSITORY, [manifest.unique_id])[manifest.unique_id] == kos


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, "1.2.840.10008.1.2.1.99"])
def test_rad68_manifests_come_in_any_transfer_syntax(
    node: Node, client: SoapClient, syntax: str
) -> None:
    answer = send(client, described(), syntax=syntax)
    assert (xds.status(answer), told(answer)) == (xds.SUCCESS, [])


def test_rad68_a_manifest_with_description_is_filed(node: Node, client: SoapClient) -> None:
    answer = send(client, described(), title=("MADOTEMP001", "99IHE", "Manifest with Description"))
    assert (xds.status(answer), told(answer)) == (xds.SUCCESS, [])


@pytest.mark.parametrize(
    ("changes", "attributes", "attribute", "quoted"),
    [
        ({}, {"sop_uid": "1.2.3.4"}, "uniqueId", "1.2.3.4"),
        ({"mime_type": "application/pdf"}, {}, "mimeType", "application/pdf"),
        (
            {
                "reference_ids": (
                    f"{OTHER_STUDY}^^^^urn:ihe:iti:xds:2016:studyInstanceUID",
                    ACCESSION,
                )
            },
            {},
            "referenceIdList",
            OTHER_STUDY,
        ),
        (
            {
                "reference_ids": (
                    "ACC-78^^^&1.2.250.99.8&ISO^urn:ihe:iti:xds:2013:accession",
                    REFERENCES[1],
                )
            },
            {},
            "referenceIdList",
            "(0008,0050)",
        ),
    ],
)
def test_rad68_a_contradiction_is_refused_by_attribute_and_value(
    node: Node, client: SoapClient, changes: Any, attributes: Any, attribute: str, quoted: str
) -> None:
    manifest = described(**changes)
    before = len(accesses(node)), node.stored()
    answer = send(client, manifest, **attributes)
    assert xds.status(answer) == names.FAILURE
    assert told(answer) == [("XDSRepositoryMetadataError", attribute, "Error")]
    assert quoted in answer.body.find(".//rs:RegistryError", xds.NAMES).get("codeContext")
    assert not registered(client, manifest.unique_id)
    assert node.stored() == before[1]
    assert node.incoming() == []
    (recorded,) = accesses(node)[before[0] :]
    assert (recorded.outcome, recorded.detail) == ("failed", "manifest_mismatch")


@pytest.mark.parametrize(
    "octets", [b"\0" * 128 + b"DICM", b"%PDF-1.7", b"", foreign_kos(STUDY, SERIES)[:900]]
)
def test_rad68_what_is_no_manifest_is_refused(
    node: Node, client: SoapClient, octets: bytes
) -> None:
    answer = send(client, described(), octets)
    assert xds.status(answer) == names.FAILURE
    assert told(answer) == [("XDSRepositoryMetadataError", "formatCode", "Error")]


def test_rad68_an_image_under_the_format_code_of_a_manifest_is_refused(
    node: Node, client: SoapClient
) -> None:
    answer = send(client, described(), SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    assert told(answer) == [("XDSRepositoryMetadataError", "formatCode", "Error")]
    empty = send(client, described(), CurrentRequestedProcedureEvidenceSequence=[])
    assert told(empty) == [("XDSRepositoryMetadataError", "formatCode", "Error")]


def test_rad68_all_contradictions_are_told_at_once(node: Node, client: SoapClient) -> None:
    manifest = described(mime_type="text/plain", reference_ids=())
    answer = send(client, manifest, sop_uid="1.2.3.4")
    assert told(answer) == [
        ("XDSRepositoryMetadataError", "mimeType", "Error"),
        ("XDSRepositoryMetadataError", "uniqueId", "Error"),
        ("XDSRepositoryMetadataError", "referenceIdList", "Warning"),
        ("XDSRepositoryMetadataError", "referenceIdList", "Warning"),
    ]


@pytest.mark.parametrize(
    ("changes", "attributes", "attributes_told"),
    [
        ({"reference_ids": ()}, {}, ["referenceIdList", "referenceIdList"]),
        ({"reference_ids": (ACCESSION,)}, {}, ["referenceIdList"]),
        ({"event_codes": ()}, {}, ["eventCodeList"]),
        ({}, {"PatientID": "LOCAL-5"}, ["sourcePatientId"]),
        ({}, {"location": ""}, ["formatCode"]),
        ({}, {"title": ("113000", "DCM", "Of Interest")}, ["formatCode"]),
    ],
)
def test_rad68_what_is_missing_is_warned_of_and_filed(
    node: Node, client: SoapClient, changes: Any, attributes: Any, attributes_told: list[str]
) -> None:
    manifest = described(**changes)
    answer = send(client, manifest, **attributes)
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    assert told(answer) == [("XDSRepositoryMetadataError", a, "Warning") for a in attributes_told]
    assert registered(client, manifest.unique_id)


def test_rad68_no_patient_is_told_in_a_warning(node: Node, client: SoapClient) -> None:
    answer = send(client, described(), PatientID="SECRET-5")
    assert "SECRET-5" not in answer.text()
    assert "P-1001" not in answer.text()


def test_rad68_described_modalities_are_compared(node: Node, client: SoapClient) -> None:
    def library(*modalities: str):
        groups = [_container(("126200", "DCM", "g"), _modality(m)) for m in modalities]
        return [_container(("111028", "DCM", "Image Library"), *groups)]

    title = ("MADOTEMP001", "99IHE", "Manifest with Description")
    good = send(client, described(), title=title, ContentSequence=library("CT", "SR"))
    assert (xds.status(good), told(good)) == (xds.SUCCESS, [])
    bad = send(client, described(), title=title, ContentSequence=library("MR"))
    assert told(bad) == [("XDSRepositoryMetadataError", "eventCodeList", "Error")]
    context = bad.body.find(".//rs:RegistryError", xds.NAMES).get("codeContext")
    assert "CT" in context
    assert "MR" in context


def test_rad68_a_new_manifest_replaces_the_old_one(node: Node, client: SoapClient) -> None:
    old, new = described(), described()
    assert xds.status(send(client, old)) == xds.SUCCESS
    replaces = association(AssociationType.RPLC, new.entry_uuid, old.entry_uuid)
    answer = send(client, new, None, replaces)
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    assert registered(client, new.unique_id)
    assert not registered(client, old.unique_id)
    assert set(xds.retrieve(client, REPOSITORY, [old.unique_id])) == {old.unique_id}


def test_p4_other_dicom_objects_are_nobodys_manifest(node: Node, client: SoapClient) -> None:
    other = described(format_code=Code("urn:ihe:rad:TEXT", "1.3.6.1.4.1.19376.1.2.3", "Report"))
    answer = send(client, other, b"any octets")
    assert (xds.status(answer), told(answer)) == (xds.SUCCESS, [])


def test_rad68_an_affinity_domain_may_only_warn_or_not_look() -> None:
    manifest = described(mime_type="text/plain")
    documents = {manifest.entry_uuid: _Held(foreign_kos(STUDY, SERIES, sop_uid=manifest.unique_id))}
    warned = ExamineManifests(ManifestChecks.WARN)(submission(manifest), documents)
    assert [one.severity for one in warned] == [names.WARNING]
    assert ExamineManifests(ManifestChecks.OFF)(submission(manifest), documents) == ()


class _Studies:
    """The study index, as far as it is asked: one MR study of these instances."""

    def __init__(self, *sops: str) -> None:
        self._sops = sops

    def instances_of(self, study_uid: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(sop_uid=uid) for uid in self._sops]

    def series_of(self, study_uid: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(series_uid=uid, modality="MR") for uid in SERIES]


def test_rad68_modalities_are_compared_where_all_images_lie_here() -> None:
    manifest = described()
    documents = {manifest.entry_uuid: _Held(foreign_kos(STUDY, SERIES, sop_uid=manifest.unique_id))}
    every = [uid for sops in SERIES.values() for uid in sops]
    (error,) = ExamineManifests(studies=_Studies(*every))(submission(manifest), documents)
    assert (error.code, error.location) == (
        "XDSRepositoryMetadataError",
        "DocumentEntry.eventCodeList",
    )
    assert error.severity == names.ERROR
    assert ExamineManifests(studies=_Studies(*every[1:]))(submission(manifest), documents) == ()


class _Held:
    """Octets that came in."""

    def __init__(self, octets: bytes) -> None:
        self._octets, self.size = octets, len(octets)

    def read(self, offset: int, length: int) -> bytes:
        return self._octets[offset : offset + length]


def _container(concept: tuple[str, str, str], *content: Any) -> Any:
    item = coded(*concept)
    made = type(item)()
    made.RelationshipType, made.ValueType = "CONTAINS", "CONTAINER"
    made.ConceptNameCodeSequence = [item]
    made.ContentSequence = list(content)
    return made


def _modality(value: str) -> Any:
    made = type(coded("1", "2", "3"))()
    made.RelationshipType, made.ValueType = "HAS ACQ CONTEXT", "CODE"
    made.ConceptNameCodeSequence = [coded("121139", "DCM", "Modality")]
    made.ConceptCodeSequence = [coded(value, "DCM", value)]
    return made
