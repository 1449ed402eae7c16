"""A modality sends images; an XDS consumer finds their manifest and reads it.

Study complete -> Key Object Selection (PS3.3 A.35.4) -> registered as an XDS-I document
(RAD TF-3 4.68), found by ITI-18, retrieved by ITI-43.
"""

from __future__ import annotations

import io
import time
from pathlib import Path

import pydicom
import pytest
from lxml import etree
from pydicom.dataset import Dataset

from tests.support import ct, modality, xds
from tests.support.running import RunningPianku
from tests.support.soap import SoapClient

KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"
_WITHIN_SECONDS = 30

pytestmark = [pytest.mark.peer("dcmtk"), pytest.mark.tender("R-6.2.3.1")]


def test_the_manifest_of_a_sent_study_names_all_its_instances(
    pianku: RunningPianku, tmp_path: Path
) -> None:
    series = ct.Series(patient_id=f"PB{time.monotonic_ns()}", accession="PB-1")
    files = ct.write(tmp_path / "ct", series, 7, size=64)
    patient = f"{series.patient_id}^^^&{pianku.demo['assigning_authority']}&ISO"
    client = SoapClient(pianku.http)

    modality.store(pianku.node, files)
    entry = published(client, patient, 1)[0]

    assert entry.get("mimeType") == "application/dicom"
    assert any(
        series.study_uid in r for r in xds.slot(entry, "urn:ihe:iti:xds:2013:referenceIdList")
    )
    assert any("PB-1" in r for r in xds.slot(entry, "urn:ihe:iti:xds:2013:referenceIdList"))
    manifest = fetched(pianku, client, entry)
    assert manifest.SOPClassUID == KEY_OBJECT_SELECTION
    assert manifest.StudyInstanceUID == series.study_uid
    assert manifest.SeriesInstanceUID != series.series_uid
    assert manifest.PatientID == series.patient_id
    assert referenced(manifest) == set(modality.by_uid(files))


def test_images_that_come_later_replace_the_manifest(pianku: RunningPianku, tmp_path: Path) -> None:
    series = ct.Series(patient_id=f"PL{time.monotonic_ns()}")
    files = ct.write(tmp_path / "ct", series, 6, size=64)
    patient = f"{series.patient_id}^^^&{pianku.demo['assigning_authority']}&ISO"
    client = SoapClient(pianku.http)
    modality.store(pianku.node, files[:4])
    first = published(client, patient, 1)[0]

    modality.store(pianku.node, files[4:])

    second = published(client, patient, 1, other_than=xds.unique_id(first))[0]
    assert referenced(fetched(pianku, client, second)) == set(modality.by_uid(files))


def test_the_study_is_found_by_its_study_instance_uid(
    pianku: RunningPianku, tmp_path: Path
) -> None:
    series = ct.Series(patient_id=f"PR{time.monotonic_ns()}")
    modality.store(pianku.node, ct.write(tmp_path / "ct", series, 2, size=64))
    patient = f"{series.patient_id}^^^&{pianku.demo['assigning_authority']}&ISO"
    client = SoapClient(pianku.http)
    published(client, patient, 1)

    answer = xds.stored_query(client, xds.FIND_BY_REFERENCE, {
        "$XDSDocumentEntryPatientId": f"'{patient}'",
        "$XDSDocumentEntryStatus": f"('{xds.APPROVED}')",
        "$XDSDocumentEntryReferenceIdList":
            f"('{series.study_uid}^^^^urn:ihe:iti:xds:2016:studyInstanceUID')",
    })  # fmt: skip

    assert len(xds.objects(answer)) == 1, answer.text()


def published(
    client: SoapClient, patient: str, count: int, *, other_than: str = ""
) -> list[etree._Element]:
    """Wait until the patient has that many approved documents (the study counts as complete)."""
    deadline = time.monotonic() + _WITHIN_SECONDS
    while True:
        answer = xds.stored_query(client, xds.FIND_DOCUMENTS, {
            "$XDSDocumentEntryPatientId": f"'{patient}'",
            "$XDSDocumentEntryStatus": f"('{xds.APPROVED}')",
        })  # fmt: skip
        found = [e for e in xds.objects(answer) if xds.unique_id(e) != other_than]
        if len(found) == count:
            return found
        assert time.monotonic() < deadline, f"{len(found)} documents\n{answer.text()}"
        time.sleep(0.3)


def fetched(pianku: RunningPianku, client: SoapClient, entry: etree._Element) -> Dataset:
    """Retrieve a document by ITI-43 and read it as DICOM."""
    uid = xds.unique_id(entry)
    got = xds.retrieve(client, pianku.demo["repository_oid"], [uid])
    return pydicom.dcmread(io.BytesIO(got[uid]))


def referenced(manifest: Dataset) -> set[str]:
    """Return the SOP Instance UIDs of the manifest's evidence."""
    return {
        str(instance.ReferencedSOPInstanceUID)
        for study in manifest.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
