"""What each stored query counts over four ordinary submissions (T:11897 to T:11909).

One patient: a document; a document in a folder; two documents in a folder; a document and its
replacement. ITI TF-2 3.18.4.1.2.3.7.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from uuid import uuid4

import pytest

from adapters.xds import names
from tests.support import foreign_xds as foreign
from tests.support import xds
from tests.support.foreign_xds import CONFIDENTIALITY, HAS_MEMBER, IHE
from tests.support.soap import SoapClient
from tests.support.submissions import AUTHORITY
from tests.support.xds_node import Node

E, S, F = "$XDSDocumentEntry", "$XDSSubmissionSet", "$XDSFolder"
APPROVED = f"('{xds.APPROVED}')"
BOTH = f"('{xds.APPROVED}', '{names.STATUS}Deprecated')"
QUERIES = {
    "FindDocuments": "14d4debf-8f97-4251-9a74-a90016b0af0d",
    "FindSubmissionSets": "f26abbcb-ac74-4422-8a30-edb644bbc1a9",
    "FindFolders": "958f3006-baad-4929-a4de-ff1114824431",
    "GetAll": "10b545ea-725c-446d-9b95-8aeb444eddf3",
    "GetDocuments": "5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4",
    "GetFolders": "5737b14c-8a1a-4539-b659-e03a34a5e1e4",
    "GetAssociations": "a7ae438b-4bc2-4642-93e9-be891f7bb155",
    "GetDocumentsAndAssociations": "bab9529a-4a10-40b3-a01f-f68a615d247a",
    "GetSubmissionSets": "51224314-5390-4169-9b91-b1980040715a",
    "GetSubmissionSetAndContents": "e8e3cb2c-e39c-46b9-99e4-c12f57260b83",
    "GetFolderAndContents": "b909a503-523d-4517-8acf-8e5834dfc4c7",
    "GetFoldersForDocument": "10cae35a-c7f9-4cf5-b61e-fc3278ffb578",
    "GetRelatedDocuments": "d90e5407-b356-4d91-a89f-873917b4b0e6",
}
KINDS = {"ExtrinsicObject": "documents", "Association": "associations", "ObjectRef": "references"}


@dataclass
class Shelf:
    """The four submissions: entryUUIDs and uniqueIds by short names."""

    client: SoapClient
    patient: str
    uuid: dict[str, str]
    unique: dict[str, str]

    def count(self, query: str, leaf: bool, **asked: str) -> str:
        """Return what a query finds, such as `documents 2, folders 1`."""
        parameters = {
            {"E": E, "S": S, "F": F}.get(name[0], "") + name[1:] if name[0] in "ESF" else f"${name}":
            self.filled(value) for name, value in asked.items()
        }  # fmt: skip
        answer = foreign.query(self.client, f"urn:uuid:{QUERIES[query]}", parameters, leaf=leaf)
        assert xds.status(answer) == xds.SUCCESS, answer.text()
        found = Counter(map(self.kind, xds.objects(answer)))
        return ", ".join(f"{kind} {found[kind]}" for kind in sorted(found))

    def filled(self, value: str) -> str:
        for name, uuid in self.uuid.items():
            value = value.replace(f"<{name}>", f"'{uuid}'")
        for name, unique_id in self.unique.items():
            value = value.replace(f"[{name}]", f"'{unique_id}'")
        return value.replace("PATIENT", f"'{self.patient}'")

    def kind(self, element: foreign.Element) -> str:
        name = element.tag.rpartition("}")[2]
        if name != "RegistryPackage":
            return KINDS[name]
        nodes = {
            c.get("classificationNode") for c in element.iterfind("rim:Classification", xds.NAMES)
        }
        return "folders" if names.FOLDER in nodes else "sets"


@pytest.fixture(scope="module")
def shelf(node: Node) -> Generator[Shelf]:
    patient = f"K{uuid4().hex[:12]}^^^&{AUTHORITY}&ISO"
    node.identify(patient)
    made = Shelf(SoapClient(node.http), patient, {}, {})

    def fresh(name: str) -> dict[str, str]:
        made.uuid[name] = f"urn:uuid:{uuid4()}"
        made.unique[name] = f"2.25.{uuid4().int}"
        return {"unique_id": made.unique[name]}

    def send(*parts: str) -> None:
        text = foreign.text(foreign.request(*parts))
        for name, uuid in made.uuid.items():
            text = text.replace(f'"{name}"', f'"{uuid}"')
        text = text.replace('"SubmissionSet01"', f'"{made.uuid[current]}"')
        answer = made.client.call("/xds/registry", foreign.ITI42, text)
        assert xds.status(answer) == xds.SUCCESS, answer.text()

    current = "S1"
    send(foreign.submission_set(patient, **fresh("S1")),
         foreign.document(patient, "D1", **fresh("D1")), foreign.member("D1"))  # fmt: skip
    current = "S2"
    send(foreign.submission_set(patient, **fresh("S2")),
         foreign.document(patient, "D2", **fresh("D2")), foreign.member("D2"),
         foreign.folder(patient, "F2", **fresh("F2")), foreign.member("F2", ""),
         foreign.link(HAS_MEMBER, "F2", "D2", own_id="in2"), foreign.member("in2", ""))  # fmt: skip
    current = "S3"
    restricted = {names.CONFIDENTIALITY_CODE: ("R", CONFIDENTIALITY),
                  names.FORMAT_CODE: ("urn:ihe:qrph:hw:2013", "1.3.6.1.4.1.19376.1.2.3")}  # fmt: skip
    send(foreign.submission_set(patient, **fresh("S3")),
         foreign.document(patient, "D3", **fresh("D3")), foreign.member("D3"),
         foreign.document(patient, "D4", codes=restricted, **fresh("D4")), foreign.member("D4"),
         foreign.folder(patient, "F3", **fresh("F3")), foreign.member("F3", ""),
         foreign.link(HAS_MEMBER, "F3", "D3", own_id="in3"), foreign.member("in3", ""),
         foreign.link(HAS_MEMBER, "F3", "D4", own_id="in4"), foreign.member("in4", ""))  # fmt: skip
    current = "S4"
    send(foreign.submission_set(patient, **fresh("S4")),
         foreign.document(patient, "D5", **fresh("D5")), foreign.member("D5"))  # fmt: skip
    current = "S5"
    send(foreign.submission_set(patient, **fresh("S5")),
         foreign.document(patient, "D6", **fresh("D6")), foreign.member("D6"),
         foreign.link(f"{IHE}RPLC", "D6", "D5"))  # fmt: skip
    yield made
    made.client.close()


RELATED = f"('{HAS_MEMBER}', '{IHE}RPLC')"
R, N = f"'R^^{CONFIDENTIALITY}'", f"'N^^{CONFIDENTIALITY}'"
TEXT = "('urn:ihe:rad:TEXT^^1.3.6.1.4.1.19376.1.2.3')"
CASES: list[tuple[str, dict[str, str], str]] = [
    ("FindDocuments", {"EPatientId": "PATIENT", "EStatus": APPROVED}, "documents 5"),
    ("FindDocuments", {"EPatientId": "PATIENT", "EStatus": BOTH}, "documents 6"),
    ("FindSubmissionSets", {"SPatientId": "PATIENT", "SStatus": APPROVED}, "sets 5"),
    ("FindSubmissionSets", {"SPatientId": "PATIENT", "SStatus": APPROVED, "SSubmissionTimeFrom": "20041225",
     "SSubmissionTimeTo": "20041226"}, "sets 5"),
    ("FindSubmissionSets", {"SPatientId": "PATIENT", "SStatus": APPROVED, "SSubmissionTimeTo": "20041225235050"}, ""),
    ("FindSubmissionSets", {"SPatientId": "PATIENT", "SStatus": APPROVED, "SAuthorPerson": "'%Wren%'"}, "sets 5"),
    ("FindSubmissionSets", {"SPatientId": "PATIENT", "SStatus": APPROVED, "SAuthorPerson": "'%Finch%'"}, ""),
    ("FindSubmissionSets", {"SPatientId": "PATIENT", "SStatus": APPROVED,
     "SContentType": "('225728007^^2.16.840.1.113883.6.96')"}, "sets 5"),
    ("FindSubmissionSets", {"SPatientId": "PATIENT", "SStatus": APPROVED, "SSourceId": "('1.2.3')"}, ""),
    ("FindFolders", {"FPatientId": "PATIENT", "FStatus": APPROVED}, "folders 2"),
    ("FindFolders", {"FPatientId": "PATIENT", "FStatus": APPROVED, "FCodeList": "('Referrals^^1.2.3.4')"}, "folders 2"),
    ("FindFolders", {"FPatientId": "PATIENT", "FStatus": APPROVED, "FLastUpdateTimeTo": "2020"}, ""),
    ("FindFolders", {"FPatientId": "PATIENT", "FStatus": APPROVED, "FLastUpdateTimeFrom": "2020"}, "folders 2"),
    ("GetDocuments", {"EUniqueId": "([D1])"}, "documents 1"),
    ("GetDocuments", {"EUniqueId": "([D1], [D2])", "homeCommunityId": "'urn:oid:1.2'"}, "documents 2"),
    ("GetDocuments", {"EEntryUUID": "(<D1>, <D2>)"}, "documents 2"),
    ("GetFolders", {"FUniqueId": "([F2])"}, "folders 1"),
    ("GetFolders", {"FEntryUUID": "(<F2>, <F3>)"}, "folders 2"),
    ("GetAssociations", {"uuid": "(<D1>)"}, "associations 1"),
    ("GetAssociations", {"uuid": "(<D2>)"}, "associations 2"),
    ("GetAssociations", {"uuid": "(<S2>)"}, "associations 3"),
    ("GetAssociations", {"uuid": "(<S2>, <S1>)"}, "associations 4"),
    ("GetDocumentsAndAssociations", {"EUniqueId": "([D1])"}, "associations 1, documents 1"),
    ("GetDocumentsAndAssociations", {"EEntryUUID": "(<D1>, <D2>)"}, "associations 3, documents 2"),
    ("GetSubmissionSets", {"uuid": "(<D1>)"}, "associations 1, sets 1"),
    ("GetSubmissionSets", {"uuid": "(<D2>, <F2>)"}, "associations 2, sets 1"),
    ("GetSubmissionSetAndContents", {"SEntryUUID": "<S1>"}, "associations 1, documents 1, sets 1"),
    ("GetSubmissionSetAndContents", {"SUniqueId": "[S3]"}, "associations 7, documents 2, folders 1, sets 1"),
    ("GetSubmissionSetAndContents", {"SUniqueId": "[S3]", "EFormatCode": TEXT},
     "associations 4, documents 1, folders 1, sets 1"),
    ("GetSubmissionSetAndContents", {"SUniqueId": "[S3]", "EConfidentialityCode": f"({R})"},
     "associations 4, documents 1, folders 1, sets 1"),
    ("GetFolderAndContents", {"FUniqueId": "[F2]"}, "associations 1, documents 1, folders 1"),
    ("GetFolderAndContents", {"FEntryUUID": "<F3>"}, "associations 2, documents 2, folders 1"),
    ("GetFolderAndContents", {"FEntryUUID": "<F3>", "EConfidentialityCode": f"({R})"},
     "associations 1, documents 1, folders 1"),
    ("GetFolderAndContents", {"FEntryUUID": "<F3>", "EConfidentialityCode": f"({R}, {N})"},
     "associations 2, documents 2, folders 1"),
    ("GetFolderAndContents", {"FEntryUUID": "<F3>", "EFormatCode": TEXT}, "associations 1, documents 1, folders 1"),
    ("GetFoldersForDocument", {"EUniqueId": "[D3]"}, "folders 1"),
    ("GetFoldersForDocument", {"EEntryUUID": "<D3>"}, "folders 1"),
    ("GetFoldersForDocument", {"EEntryUUID": "<D1>"}, ""),
    ("GetRelatedDocuments", {"EUniqueId": "[D1]", "AssociationTypes": RELATED}, ""),
    ("GetRelatedDocuments", {"EEntryUUID": "<D1>", "AssociationTypes": RELATED}, ""),
    ("GetRelatedDocuments", {"EUniqueId": "[D5]", "AssociationTypes": RELATED}, "associations 1, documents 2"),
    ("GetRelatedDocuments", {"EEntryUUID": "<D6>", "AssociationTypes": RELATED}, "associations 1, documents 2"),
    ("GetRelatedDocuments", {"EUniqueId": "[D4]", "AssociationTypes": RELATED}, ""),
    ("GetAll", {"patientId": "PATIENT", "EStatus": APPROVED, "SStatus": APPROVED, "FStatus": APPROVED},
     "associations 13, documents 5, folders 2, sets 5"),
]  # fmt: skip


@pytest.mark.tender("R-6.2.6.1", "R-6.2.9")
@pytest.mark.parametrize("leaf", [True, False])
@pytest.mark.parametrize(("query", "asked", "expected"), CASES)
def test_6_queries_count_what_is_there(
    shelf: Shelf, query: str, asked: dict[str, str], expected: str, leaf: bool
) -> None:
    total = sum(int(part.rpartition(" ")[2]) for part in expected.split(", ") if part)
    told = expected if leaf or not total else f"references {total}"
    assert shelf.count(query, leaf, **asked) == told
