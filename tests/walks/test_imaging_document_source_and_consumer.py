"""Another vendor's imaging document source and consumer work with us, over sockets.

A foreign manifest comes by RAD-68, is found by ITI-18 and fetched by ITI-43; the images it names
are had by RAD-69, RAD-55 and RAD-107 (RAD TF-2 4.55, 4.68, 4.69, 4.107).
"""

from __future__ import annotations

import io
import time
from pathlib import Path

import httpx
import pydicom
import pytest

from tests.support import ct, modality, xds
from tests.support.manifests import KOS, foreign_kos
from tests.support.running import RunningPianku
from tests.support.soap import SoapClient, included

IMPLICIT = "1.2.840.10008.1.2"
RAD69 = "urn:ihe:rad:2009:RetrieveImagingDocumentSet"
MANIFEST_CODES = {
    **xds.CODES,
    "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a": (
        "IMAGES", "1.3.6.1.4.1.19376.1.2.6.1", "Images"),
    "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d": (
        KOS, "1.2.840.10008.2.6.1", "Key Object Selection Document"),
}  # fmt: skip

pytestmark = [pytest.mark.peer("dcmtk"), pytest.mark.tender("R-6.2.3.1")]


def test_a_foreign_manifest_leads_to_the_images(pianku: RunningPianku, tmp_path: Path) -> None:
    series = ct.Series(patient_id=f"IM{time.monotonic_ns()}", accession="IM-1")
    files = ct.write(tmp_path / "ct", series, 3, size=64)
    sops = list(modality.by_uid(files))
    patient = f"{series.patient_id}^^^&{pianku.demo['assigning_authority']}&ISO"
    client = SoapClient(pianku.http)
    modality.store(pianku.node, files)

    # The source submits a manifest of its own (RAD-68) ...
    unique_id = ct.new_uid()
    kos = foreign_kos(
        series.study_uid, {series.series_uid: sops}, sop_uid=unique_id,
        location=pianku.demo["repository_oid"], PatientID=series.patient_id,
        AccessionNumber="IM-1",
    )  # fmt: skip
    document = xds.Document(
        kos, patient, title="Foreign", mime_type="application/dicom", unique_id=unique_id,
        codes=MANIFEST_CODES,
    )  # fmt: skip
    filed = xds.provide_and_register(client, document)
    assert xds.status(filed) == xds.SUCCESS, filed.text()

    # ... the consumer finds and fetches it (ITI-18, ITI-43) and reads where the images lie ...
    entries = xds.find_documents(client, patient)
    assert unique_id in {xds.unique_id(entry) for entry in entries}
    fetched = xds.retrieve(client, pianku.demo["repository_oid"], [unique_id])[unique_id]
    assert fetched == kos
    manifest = pydicom.dcmread(io.BytesIO(fetched))
    (study,) = manifest.CurrentRequestedProcedureEvidenceSequence
    (listed,) = study.ReferencedSeriesSequence
    named = [item.ReferencedSOPInstanceUID for item in listed.ReferencedSOPSequence]

    # ... and has them by each of the three ways.
    given = retrieved(
        client, study.StudyInstanceUID, listed.SeriesInstanceUID, named, listed.RetrieveLocationUID
    )
    assert {uid: ds.SOPInstanceUID for uid, ds in given.items()} == {uid: uid for uid in sops}
    assert {ds.file_meta.TransferSyntaxUID for ds in given.values()} == {IMPLICIT}
    with httpx.Client(base_url=pianku.http, headers=pianku.token("system"), timeout=60) as web:
        for uid in named:
            by_uri = web.get("/wado", params={
                "requestType": "WADO", "studyUID": study.StudyInstanceUID,
                "seriesUID": listed.SeriesInstanceUID, "objectUID": uid,
                "contentType": "application/dicom", "transferSyntax": IMPLICIT,
            })  # fmt: skip
            assert by_uri.status_code == 200, by_uri.text
            theirs = pydicom.dcmread(io.BytesIO(by_uri.content))
            assert theirs.PixelData == given[uid].PixelData
            picture = web.get("/wado", params={
                "requestType": "WADO", "studyUID": study.StudyInstanceUID,
                "seriesUID": listed.SeriesInstanceUID, "objectUID": uid,
            })  # fmt: skip
            assert picture.headers["content-type"] == "image/jpeg"
        path = f"/dicom-web/studies/{study.StudyInstanceUID}/series/{listed.SeriesInstanceUID}"
        by_rs = web.get(path, headers={"Accept": 'multipart/related; type="application/dicom"'})
        assert by_rs.status_code == 200
        assert by_rs.content.count(b"DICM") == len(named)


def test_a_manifest_that_belies_its_metadata_is_refused(pianku: RunningPianku) -> None:
    patient = f"IR{time.monotonic_ns()}^^^&{pianku.demo['assigning_authority']}&ISO"
    kos = foreign_kos(ct.new_uid(), {ct.new_uid(): [ct.new_uid()]})
    document = xds.Document(kos, patient, mime_type="application/dicom", codes=MANIFEST_CODES)
    answer = xds.provide_and_register(SoapClient(pianku.http), document)
    assert xds.errors(answer)[0] == "XDSRepositoryMetadataError"
    assert document.unique_id in answer.text()


def retrieved(
    client: SoapClient, study: str, series: str, sops: list[str], location: str
) -> dict[str, pydicom.FileDataset]:
    """Return the instances by RAD-69, in Implicit VR Little Endian."""
    documents = "".join(
        f"<x:DocumentRequest><x:RepositoryUniqueId>{location}</x:RepositoryUniqueId>"
        f"<x:DocumentUniqueId>{uid}</x:DocumentUniqueId></x:DocumentRequest>"
        for uid in sops
    )
    answer = client.call(
        "/xds/imaging", RAD69,
        '<RetrieveImagingDocumentSetRequest xmlns="urn:ihe:rad:xdsi-b:2009" '
        f'xmlns:x="{xds.XDS}"><StudyRequest studyInstanceUID="{study}">'
        f'<SeriesRequest seriesInstanceUID="{series}">{documents}</SeriesRequest></StudyRequest>'
        f"<TransferSyntaxUIDList><TransferSyntaxUID>{IMPLICIT}</TransferSyntaxUID>"
        "</TransferSyntaxUIDList></RetrieveImagingDocumentSetRequest>",
    )  # fmt: skip
    assert answer.action == f"{xds.ITI43}Response"
    registry = answer.body.find("rs:RegistryResponse", xds.NAMES)
    assert registry is not None, answer.text()
    assert registry.get("status") == xds.SUCCESS, answer.text()
    return {
        one.findtext("xds:DocumentUniqueId", "", xds.NAMES): pydicom.dcmread(
            io.BytesIO(included(one.find("xds:Document", xds.NAMES), answer.parts))
        )
        for one in answer.body.findall("xds:DocumentResponse", xds.NAMES)
    }
