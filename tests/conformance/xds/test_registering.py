"""Section 3: what ITI-42 does and refuses, R1 to R12, told by another product's messages.

ITI TF-2 3.42.4.1.3. Each test bears the row it proves.
"""

from __future__ import annotations

from uuid import uuid4

import pytest

from adapters.xds import names
from kernel.identifiers import new_uid
from tests.support import foreign_xds as foreign
from tests.support import xds
from tests.support.foreign_xds import IHE, Element
from tests.support.soap import Answer, SoapClient
from tests.support.submissions import AUTHORITY
from tests.support.xds_node import Node

GET_ASSOCIATIONS = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"
GET_FOLDERS = "urn:uuid:5737b14c-8a1a-4539-b659-e03a34a5e1e4"
GET_FOLDER_AND_CONTENTS = "urn:uuid:b909a503-523d-4517-8acf-8e5834dfc4c7"
FIND_SETS = "urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9"


def done(answer: Answer) -> None:
    assert xds.status(answer) == xds.SUCCESS, answer.text()


def refused(answer: Answer, *codes: str) -> None:
    assert xds.status(answer) == names.FAILURE, answer.text()
    assert tuple(xds.errors(answer)) == codes


def uuids_of(client: SoapClient, patient: str, status: str = "Approved") -> list[str]:
    return [d.get("id", "") for d in foreign.documents_of(client, patient, status)]


def registered(client: SoapClient, patient: str) -> str:
    """Register one document more and return its entryUUID."""
    before = set(uuids_of(client, patient))
    done(foreign.register(client, foreign.one_document(patient)))
    (new,) = set(uuids_of(client, patient)) - before
    return new


def related(patient: str, kind: str, target: str, inside: str = "") -> Element:
    return foreign.request(
        foreign.document(patient),
        foreign.submission_set(patient),
        foreign.member("Document01"),
        foreign.link(IHE + kind, "Document01", target, inside),
    )


def with_folder(client: SoapClient, patient: str) -> tuple[str, str, str]:
    """Register a document in a folder; return document, folder and the folder's uniqueId."""
    unique_id = new_uid()
    done(
        foreign.register(
            client,
            foreign.request(
                foreign.folder(patient, unique_id=unique_id),
                foreign.member("Folder", ""),
                foreign.document(patient),
                foreign.member("Document01"),
                foreign.submission_set(patient),
                foreign.link(foreign.HAS_MEMBER, "Folder", "Document01", own_id="inside"),
                foreign.member("inside", ""),
            ),
        )
    )
    (document,) = uuids_of(client, patient)
    return document, folder_of(client, unique_id).get("id", ""), unique_id


def folder_of(client: SoapClient, unique_id: str) -> Element:
    answer = foreign.query(client, GET_FOLDERS, {"$XDSFolderUniqueId": f"('{unique_id}')"})
    (found,) = xds.objects(answer)
    return found


def contents(client: SoapClient, unique_id: str) -> set[str]:
    answer = foreign.query(
        client, GET_FOLDER_AND_CONTENTS, {"$XDSFolderUniqueId": f"'{unique_id}'"}
    )
    return {x.get("id", "") for x in xds.objects(answer) if x.tag.endswith("}ExtrinsicObject")}


def test_r1_one_bad_document_of_two_registers_nothing(client: SoapClient, patient: str) -> None:
    # T:12084: both documents bear one uniqueId.
    submit = foreign.request(
        foreign.document(patient, "Document01", unique_id="1.2.3.4"),
        foreign.document(patient, "Document02", unique_id="1.2.3.4"),
        foreign.submission_set(patient),
        foreign.member("Document01"),
        foreign.member("Document02"),
    )
    refused(foreign.register(client, submit), "XDSRegistryDuplicateUniqueIdInMessage")
    assert uuids_of(client, patient) == []
    sets = foreign.query(client, FIND_SETS, {
        "$XDSSubmissionSetPatientId": f"'{patient}'",
        "$XDSSubmissionSetStatus": f"('{xds.APPROVED}')",
    })  # fmt: skip
    assert (xds.status(sets), xds.objects(sets)) == (xds.SUCCESS, [])


@pytest.mark.parametrize("where", ["document", "folder", "replaced"])
def test_r2_one_patient_a_submission(
    node: Node, client: SoapClient, patient: str, where: str
) -> None:
    other = f"O{uuid4().hex[:12]}^^^&{AUTHORITY}&ISO"
    node.identify(other)
    if where == "document":
        parts = [foreign.document(other), foreign.member("Document01")]
    elif where == "folder":
        parts = [foreign.folder(other), foreign.member("Folder", "")]
    else:
        target = registered(client, other)
        parts = [foreign.document(patient), foreign.member("Document01"),
                 foreign.link(f"{IHE}RPLC", "Document01", target)]  # fmt: skip
    submit = foreign.request(*parts, foreign.submission_set(patient))
    refused(foreign.register(client, submit), "XDSPatientIdDoesNotMatch")


def test_r2_a_reference_may_name_another_patients_document(
    node: Node, client: SoapClient, patient: str
) -> None:
    other = f"O{uuid4().hex[:12]}^^^&{AUTHORITY}&ISO"
    node.identify(other)
    target = registered(client, other)
    submit = foreign.request(foreign.submission_set(patient), foreign.member(target, "Reference"))
    done(foreign.register(client, submit))


def test_r3_an_unknown_patient(client: SoapClient) -> None:
    nobody = f"N{uuid4().hex[:12]}^^^&{AUTHORITY}&ISO"
    refused(foreign.register(client, foreign.one_document(nobody)), "XDSUnknownPatientId")


@pytest.mark.parametrize("what", ["set", "folder"])
def test_r5_set_and_folder_ids_are_used_once(client: SoapClient, patient: str, what: str) -> None:
    unique_id = new_uid()
    for code in ("", "XDSDuplicateUniqueIdInRegistry"):
        submit = foreign.request(
            foreign.submission_set(patient, unique_id=unique_id if what == "set" else ""),
            foreign.folder(patient, unique_id=unique_id if what == "folder" else ""),
            foreign.member("Folder", ""),
        )
        answer = foreign.register(client, submit)
        assert xds.errors(answer) == [code] * bool(code), answer.text()


def test_r5_the_same_document_again_is_another_entry(client: SoapClient, patient: str) -> None:
    unique_id = new_uid()
    for _ in range(2):
        done(foreign.register(client, foreign.one_document(patient, unique_id=unique_id)))
    found = foreign.documents_of(client, patient)
    assert [xds.unique_id(entry) for entry in found] == [unique_id] * 2


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"hash_": "0" * 40}, "XDSNonIdenticalHash"), ({"size": 5}, "XDSNonIdenticalSize")],
)
def test_r5_other_octets_under_the_same_id(
    client: SoapClient, patient: str, changes: dict[str, object], code: str
) -> None:
    unique_id = new_uid()
    done(foreign.register(client, foreign.one_document(patient, unique_id=unique_id)))
    again = foreign.one_document(patient, unique_id=unique_id, **changes)
    refused(foreign.register(client, again), code)


@pytest.mark.parametrize("again", [str.lower, str.upper])
def test_r6_an_entry_uuid_is_used_once(client: SoapClient, patient: str, again) -> None:
    own_id = f"urn:uuid:{uuid4()}"
    for name in (own_id, f"urn:uuid:{again(own_id[9:])}"):
        submit = foreign.request(
            foreign.document(patient, name), foreign.submission_set(patient), foreign.member(name)
        )
        answer = foreign.register(client, submit)
    refused(answer, "XDSRegistryError")
    assert uuids_of(client, patient) == [own_id]


def test_r7_ends_must_exist(client: SoapClient, patient: str) -> None:
    missing = f"urn:uuid:{uuid4()}"
    answer = foreign.register(client, related(patient, "APND", missing))
    refused(answer, "UnresolvedReferenceException")
    (error,) = answer.body.iterfind(".//rs:RegistryError", xds.NAMES)
    assert missing in error.get("codeContext", "")
    answer = foreign.register(client, related(patient, "APND", "SomethingElse"))
    refused(answer, "UnresolvedReferenceException")


@pytest.mark.parametrize("kind", ["RPLC", "APND", "XFRM", "XFRM_RPLC"])
def test_r7_a_deprecated_target(client: SoapClient, patient: str, kind: str) -> None:
    target = registered(client, patient)
    done(foreign.register(client, related(patient, "RPLC", target)))
    answer = foreign.register(client, related(patient, kind, target))
    refused(answer, "XDSRegistryDeprecatedDocumentError")


@pytest.mark.tender("R-6.2.6.3")
@pytest.mark.parametrize("kind", ["RPLC", "XFRM_RPLC"])
def test_r8_a_replacement_deprecates_what_hangs_on_the_old(
    client: SoapClient, patient: str, kind: str
) -> None:
    # T:12022: an addition, and an addition to the addition.
    old = registered(client, patient)
    chain = [old]
    for link in ("APND", "XFRM"):
        done(foreign.register(client, related(patient, link, chain[-1])))
        (new,) = set(uuids_of(client, patient)) - set(chain)
        chain.append(new)
    done(foreign.register(client, related(patient, kind, old)))
    assert set(uuids_of(client, patient, "Deprecated")) == set(chain)
    assert len(uuids_of(client, patient)) == 1


def test_r8_a_replacement_comes_into_the_folders_of_the_old(
    client: SoapClient, patient: str
) -> None:
    # T:12327, T:12323.
    old, _, unique_id = with_folder(client, patient)
    done(foreign.register(client, related(patient, "RPLC", old)))
    (new,) = uuids_of(client, patient)
    assert contents(client, unique_id) == {old, new}


def test_r8_each_change_of_a_folder_moves_its_time_on(client: SoapClient, patient: str) -> None:
    # T:12323 compares the times with less-than, however fast one change follows the other.
    document, folder, unique_id = with_folder(client, patient)
    times = [xds.slot(folder_of(client, unique_id), "lastUpdateTime")]
    for _ in range(3):
        before = set(uuids_of(client, patient))
        done(foreign.register(client, related(patient, "RPLC", document)))
        (document,) = set(uuids_of(client, patient)) - before
        times.append(xds.slot(folder_of(client, unique_id), "lastUpdateTime"))
        add = foreign.request(
            foreign.submission_set(patient),
            foreign.document(patient, "Other"),
            foreign.member("Other"),
            foreign.link(foreign.HAS_MEMBER, folder, "Other", own_id="inside"),
            foreign.member("inside", ""),
        )
        done(foreign.register(client, add))
        times.append(xds.slot(folder_of(client, unique_id), "lastUpdateTime"))
    assert times == sorted(times)
    assert len({str(time) for time in times}) == 7


def test_r8_what_replaces_must_be_new(client: SoapClient, patient: str) -> None:
    one, two = registered(client, patient), registered(client, patient)
    submit = foreign.request(foreign.submission_set(patient), foreign.link(f"{IHE}RPLC", one, two))
    refused(foreign.register(client, submit), "XDSRegistryMetadataError")


@pytest.mark.tender("R-6.2.6.3")
@pytest.mark.parametrize("kind", ["APND", "XFRM"])
def test_r9_an_addition_leaves_its_target_approved(
    client: SoapClient, patient: str, kind: str
) -> None:
    target = registered(client, patient)
    done(foreign.register(client, related(patient, kind, target)))
    assert len(uuids_of(client, patient)) == 2


@pytest.mark.parametrize(("code", "good"), [("urn:ihe:iti:dsg:detached:2014", True), ("", False)])
def test_r9_only_a_signature_signs(client: SoapClient, patient: str, code: str, good: bool) -> None:
    target = registered(client, patient)
    codes = {names.FORMAT_CODE: (code, "1.3.6.1.4.1.19376.1.2.3")} if code else {}
    submit = foreign.request(
        foreign.document(patient, codes=codes),
        foreign.submission_set(patient),
        foreign.member("Document01"),
        foreign.link(f"{IHE}signs", "Document01", target),
    )
    answer = foreign.register(client, submit)
    assert xds.errors(answer) == ([] if good else ["XDSRegistryMetadataError"])


def test_r9_documentation_of_a_relationship_and_of_nothing_else(
    client: SoapClient, patient: str
) -> None:
    # T:12370.
    target = registered(client, patient)
    told = foreign.code("a1", names.ASSOCIATION_DOCUMENTATION, "Retina", "1.2.3.4")
    good = foreign.link(f"{IHE}APND", "Document01", target, told, own_id="a1")
    bad = foreign.link(foreign.HAS_MEMBER, "SubmissionSet01", "Document01",
                       foreign.slot("SubmissionSetStatus", "Original") + told, own_id="a1")  # fmt: skip
    base = (foreign.document(patient), foreign.submission_set(patient))
    done(foreign.register(client, foreign.request(*base, foreign.member("Document01"), good)))
    base = (foreign.document(patient), foreign.submission_set(patient))
    refused(foreign.register(client, foreign.request(*base, bad)), "XDSRegistryMetadataError")


def test_r10_an_empty_folder_filled_later(client: SoapClient, patient: str) -> None:
    # T:11999 create, T:12001 add a new document, T:12326 add a registered one.
    unique_id = new_uid()
    empty = foreign.request(
        foreign.submission_set(patient),
        foreign.folder(patient, unique_id=unique_id),
        foreign.member("Folder", ""),
    )
    done(foreign.register(client, empty))
    folder = folder_of(client, unique_id).get("id", "")
    assert contents(client, unique_id) == set()
    new = foreign.request(
        foreign.submission_set(patient),
        foreign.document(patient),
        foreign.member("Document01"),
        f'<q:ObjectRef id="{folder}"/>',
        foreign.link(foreign.HAS_MEMBER, folder, "Document01", own_id="inside"),
        foreign.member("inside", ""),
    )
    done(foreign.register(client, new))
    held = set(uuids_of(client, patient))
    assert contents(client, unique_id) == held
    existing = registered(client, patient)
    add = foreign.request(
        foreign.submission_set(patient),
        foreign.link(foreign.HAS_MEMBER, folder, existing, own_id="inside"),
        foreign.member("inside", ""),
    )
    done(foreign.register(client, add))
    assert contents(client, unique_id) == {*held, existing}


def test_r10_a_folder_with_its_document(client: SoapClient, patient: str) -> None:
    document, folder, unique_id = with_folder(client, patient)
    assert contents(client, unique_id) == {document}
    edges = xds.objects(foreign.query(client, GET_ASSOCIATIONS, {"$uuid": f"('{folder}')"}))
    assert len(edges) == 2


def test_r11_a_status_sent_counts_for_nothing(client: SoapClient, patient: str) -> None:
    submit = foreign.one_document(patient)
    foreign.find(submit, "ExtrinsicObject").set("status", f"{names.STATUS}Deprecated")
    done(foreign.register(client, submit))
    assert len(uuids_of(client, patient)) == 1


def test_r12_object_refs_are_passed_over(client: SoapClient, patient: str) -> None:
    refs = [
        f'<q:ObjectRef id="{x}" home="urn:oid:1.2.3"/>' for x in (names.CLASS_CODE, "any-thing")
    ]
    submit = foreign.request(
        *refs, foreign.document(patient), *refs, foreign.submission_set(patient),
        foreign.member("Document01"), *refs,
    )  # fmt: skip
    done(foreign.register(client, submit))
