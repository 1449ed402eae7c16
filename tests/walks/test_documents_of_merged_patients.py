"""Two numbers of one patient are merged: whatever was filed under either is the survivor's.

ITI-8 A40 (ITI TF-2 3.8.4.2.4) by MLLP, then ITI-18, 42, 57, 92 and FHIR against a running node.
"""

from __future__ import annotations

import time

import httpx
import pytest
from lxml import etree

from adapters.xds import names
from kernel.identifiers import new_uid
from registry.documents.values import AssociationType, DocumentEntry, Folder
from tests.support import mllp, xds
from tests.support.running import RunningPianku
from tests.support.soap import Answer, SoapClient
from tests.support.submissions import association, entry, folder, member, submission
from tests.support.updates import metadata_update, new_version, send_update
from tests.support.xds_node import register

GET_ALL = "urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3"
GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
GET_FOLDERS = "urn:uuid:5737b14c-8a1a-4539-b659-e03a34a5e1e4"
GET_SETS = "urn:uuid:51224314-5390-4169-9b91-b1980040715a"
BOTH = f"('{names.STATUS}Approved','{names.STATUS}Deprecated')"
STATUSES = {f"$XDS{kind}Status": BOTH for kind in ("DocumentEntry", "SubmissionSet", "Folder")}


@pytest.fixture
def client(pianku: RunningPianku) -> SoapClient:
    return SoapClient(pianku.http)


def fed(pianku: RunningPianku, number: str) -> str:
    authority = pianku.demo["assigning_authority"]
    assert mllp.accepted(mllp.send(pianku.mllp_port, mllp.admission(number, authority)))
    return f"{number}^^^&{authority}&ISO"


def merge(pianku: RunningPianku, survivor: str, subsumed: str) -> None:
    said = mllp.send(
        pianku.mllp_port,
        f"MSH|^~\\&|ADT|H|PIANKU|C|20260503||ADT^A40|M{time.monotonic_ns()}|P|2.3.1\r"
        f"EVN|A40|20260503\rPID|||{survivor}||Test^Merged\rMRG|{subsumed}\r",
    )
    assert mllp.accepted(said), said


def done(answer: Answer) -> Answer:
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    return answer


def patient_ids(objects: list[etree._Element]) -> set[str]:
    told = {
        identifier.get("value", "")
        for one in objects
        for identifier in one.iterfind("rim:ExternalIdentifier", xds.NAMES)
        if ".patientId" in etree.tostring(identifier, encoding="unicode")
    }
    assert told
    return told


def filed(client: SoapClient, patient: str) -> tuple[DocumentEntry, Folder]:
    # A repository that is not ours: no octets are needed.
    document, case = entry(patient, repository_unique_id=new_uid()), folder(patient)
    done(register(client, submission(document, case, member(case.entry_uuid, document.entry_uuid))))
    return document, case


def test_everything_of_the_subsumed_number_answers_under_the_survivor(
    pianku: RunningPianku, client: SoapClient
) -> None:
    tag = time.monotonic_ns()
    survivor, subsumed = fed(pianku, f"MA{tag}"), fed(pianku, f"MB{tag}")
    own, _ = filed(client, survivor)
    document, case = filed(client, subsumed)
    merge(pianku, survivor, subsumed)

    def ask(
        query: str, parameters: dict[str, str], kind: str = "LeafClass"
    ) -> list[etree._Element]:
        return xds.objects(done(xds.stored_query(client, query, parameters, return_type=kind)))

    named = f"('urn:uuid:{document.entry_uuid}','urn:uuid:{own.entry_uuid}')"
    # One patient's objects: LeafClass is answered (XDSResultNotSinglePatient otherwise).
    found = ask(GET_DOCUMENTS, {"$XDSDocumentEntryEntryUUID": named})
    assert (len(found), patient_ids(found)) == (2, {survivor})
    sets = ask(GET_SETS, {"$uuid": named})
    assert patient_ids([one for one in sets if one.tag.endswith("RegistryPackage")]) == {survivor}
    cases = ask(GET_FOLDERS, {"$XDSFolderEntryUUID": f"('urn:uuid:{case.entry_uuid}')"})
    assert patient_ids(cases) == {survivor}
    assert ask(GET_ALL, {"$patientId": f"'{subsumed}'", **STATUSES}) == []
    every = ask(GET_ALL, {"$patientId": f"'{survivor}'", **STATUSES}, "ObjectRef")
    assert len(every) == 12  # of each: document, folder, set and three memberships

    assert xds.errors(register(client, submission(entry(subsumed)))) == ["XDSUnknownPatientId"]

    headers = pianku.token()
    base = f"{pianku.http}/fhir/r4"
    read = httpx.get(f"{base}/DocumentReference/{document.entry_uuid}", headers=headers).json()
    other = httpx.get(f"{base}/DocumentReference/{own.entry_uuid}", headers=headers).json()
    assert read["subject"] == other["subject"]
    number, _, authority = survivor.partition("^^^&")
    token = f"urn:oid:{authority.removesuffix('&ISO')}|{number}"
    asked = {"patient.identifier": token, "status": "current"}
    bundle = httpx.get(f"{base}/DocumentReference", params=asked, headers=headers).json()
    assert {one["resource"]["id"] for one in bundle["entry"]} == {
        str(document.entry_uuid), str(own.entry_uuid),
    }  # fmt: skip


def test_what_was_filed_before_can_be_updated_and_replaced_after(
    pianku: RunningPianku, client: SoapClient
) -> None:
    tag = time.monotonic_ns()
    survivor, subsumed = fed(pianku, f"MC{tag}"), fed(pianku, f"MD{tag}")
    document, case = filed(client, subsumed)
    merge(pianku, survivor, subsumed)

    second = new_version(document, patient_id=survivor, title="Second")
    done(send_update(client, metadata_update(second), names.ITI_92))
    third = new_version(document, patient_id=survivor, title="Third")
    renamed = new_version(case, patient_id=survivor)
    done(send_update(client, metadata_update(third, previous="2")))
    done(send_update(client, metadata_update(renamed)))
    newest = entry(survivor)
    replacing = association(AssociationType.RPLC, newest.entry_uuid, third.entry_uuid)
    done(register(client, submission(newest, replacing)))
    (found,) = xds.find_documents(client, survivor)
    assert found.get("id") == f"urn:uuid:{newest.entry_uuid}"
