"""FHIR and XDS are two faces of one registry: what one files, the other finds and fetches.

IHE MHD ITI-65, 66, 67, 68, 105, PIXm ITI-83, PDQm ITI-78 and ImagingStudy over sockets.
"""

from __future__ import annotations

import base64
import time
from pathlib import Path

import httpx
import pytest
from fhir.resources.R4B import get_fhir_model_class

from tests.support import ct, fhir, mllp, modality, xds
from tests.support.fhir import Client
from tests.support.running import RunningPianku
from tests.support.soap import SoapClient

PDF = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3 a report " + bytes(range(256)) * 400


@pytest.fixture
def client(pianku: RunningPianku) -> Client:
    return Client(pianku.http, pianku.token("system"))


@pytest.fixture
def patient(pianku: RunningPianku) -> str:
    number, authority = f"FH{time.monotonic_ns()}", pianku.demo["assigning_authority"]
    told = mllp.admission(number, authority, "Walker^Fhir=沃^克")
    assert mllp.accepted(mllp.send(pianku.mllp_port, told))
    return f"{number}^^^&{authority}&ISO"


def who(client: Client, patient: str) -> dict[str, str]:
    """Find the patient by PDQm, as a source does before it files."""
    identifier = fhir.subject(patient)["identifier"]
    token = f"{identifier['system']}|{identifier['value']}"
    (found,) = fhir.resources(client.get("/Patient", identifier=token))
    get_fhir_model_class("Patient").model_validate(found)
    return {"reference": f"Patient/{found['id']}"}


@pytest.mark.tender("H-2")
def test_a_document_filed_by_mhd_is_found_and_fetched_by_xds(
    pianku: RunningPianku, client: Client, patient: str
) -> None:
    told = fhir.provide(PDF, who(client, patient))
    answer = client.post("", told)
    assert answer.status_code == 200, answer.text
    unique_id = told["entry"][1]["resource"]["masterIdentifier"]["value"].removeprefix("urn:oid:")

    soap = SoapClient(pianku.http)
    (entry,) = xds.find_documents(soap, patient)
    assert xds.unique_id(entry) == unique_id
    assert xds.slot(entry, "size") == [str(len(PDF))]
    repository = pianku.demo["repository_oid"]
    assert xds.retrieve(soap, repository, [unique_id])[unique_id] == PDF


def test_a_document_registered_by_xds_is_found_and_fetched_by_mhd(
    pianku: RunningPianku, client: Client, patient: str
) -> None:
    document = xds.Document(PDF, patient, title="检查报告 <1>")
    submitted = xds.provide_and_register(SoapClient(pianku.http), document)
    assert xds.status(submitted) == xds.SUCCESS

    subject = who(client, patient)["reference"]
    pairs = [("patient", subject), ("status", "current")]
    answer = client.form("/DocumentReference", pairs)
    get_fhir_model_class("Bundle").model_validate(answer.json())
    (found,) = fhir.resources(answer)
    assert found["masterIdentifier"]["value"] == f"urn:oid:{document.unique_id}"
    attachment = found["content"][0]["attachment"]
    assert attachment["title"] == "检查报告 <1>"
    got = httpx.get(attachment["url"], headers=client.headers)
    assert (got.content, got.headers["content-type"]) == (PDF, "application/pdf")

    lists = client.get("/List", pairs=[*pairs, ("code", "submissionset")])
    (whole,) = fhir.resources(lists)
    get_fhir_model_class("List").model_validate(whole)
    assert whole["entry"] == [{"item": {"reference": f"DocumentReference/{found['id']}"}}]


def test_simplified_publish_and_replacement(
    pianku: RunningPianku, client: Client, patient: str
) -> None:
    subject = who(client, patient)
    ids = []
    for octets in (b"first", b"second"):
        told = fhir.document_reference(octets, subject, "", minimal=True)
        attachment = told["content"][0]["attachment"]
        del attachment["url"]
        attachment["data"] = base64.b64encode(octets).decode()
        if ids:
            target = {"reference": f"DocumentReference/{ids[0]}"}
            told["relatesTo"] = [{"code": "replaces", "target": target}]
        created = client.post("/DocumentReference", told)
        assert created.status_code == 201, created.text
        ids.append(created.json()["id"])
    (entry,) = xds.find_documents(SoapClient(pianku.http), patient)
    assert entry.get("id") == f"urn:uuid:{ids[1]}"
    assert client.get(f"/Binary/{ids[0]}").status_code == 410
    assert client.get(f"/Binary/{ids[1]}").content == b"second"


def test_an_unknown_patient_is_refused_and_named_nowhere(
    pianku: RunningPianku, client: Client
) -> None:
    authority = pianku.demo["assigning_authority"]
    number = f"NOBODY{time.monotonic_ns()}"
    answer = client.post("", fhir.provide(PDF, fhir.subject(f"{number}^^^&{authority}&ISO")))
    assert answer.status_code == 422
    assert fhir.xds_code(answer) == "XDSUnknownPatientId"
    assert number not in answer.text
    assert number not in pianku.log()


@pytest.mark.tender("H-2")
@pytest.mark.peer("dcmtk")
def test_a_study_is_found_with_the_endpoint_that_serves_it(
    pianku: RunningPianku, client: Client, tmp_path: Path
) -> None:
    accession = f"AC{time.monotonic_ns() % 10**9}"
    series = ct.Series(patient_id=f"FS{time.monotonic_ns()}", accession=accession)
    files = ct.write(tmp_path / "ct", series, 3, size=64)
    modality.store(pianku.node, files)
    authority = pianku.demo["assigning_authority"]

    for pairs in (
        [("identifier", f"urn:oid:{series.study_uid}")],
        [("identifier", f"urn:dicom:uid|urn:oid:{series.study_uid}")],
        [("accession", accession)],
        [("_id", series.study_uid)],
        [("patient.identifier", f"urn:oid:{authority}|{series.patient_id}"), ("modality", "CT")],
    ):
        answer = client.get("/ImagingStudy", pairs=pairs)
        (found,) = fhir.resources(answer)
        get_fhir_model_class("Bundle").model_validate(answer.json())
        assert found["id"] == series.study_uid, pairs
    key = found["subject"]["reference"]
    assert fhir.resources(client.get("/ImagingStudy", patient=key, modality="MR")) == []
    assert fhir.resources(client.get("/ImagingStudy", patient=key, started="lt1990")) == []
    assert len(fhir.resources(client.get("/ImagingStudy", patient=key, started="ge1990"))) == 1

    read = client.get(f"/ImagingStudy/{series.study_uid}").json()
    get_fhir_model_class("ImagingStudy").model_validate(read)
    assert (read["numberOfSeries"], read["numberOfInstances"]) == (1, 3)
    named = {one["uid"] for one in read["series"][0]["instance"]}
    assert named == set(modality.by_uid(files))
    (endpoint,) = read["contained"]
    metadata = httpx.get(f"{endpoint['address']}/metadata", headers=client.headers)
    assert (metadata.status_code, len(metadata.json())) == (200, 3)
    assert client.get("/ImagingStudy").status_code == 400
    assert client.get(f"/ImagingStudy/{ct.new_uid()}").status_code == 404
