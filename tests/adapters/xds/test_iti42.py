"""ITI-42 over the wire, with every error code a registration can give (ITI TF-2 3.42)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from adapters.xds import names
from kernel.codes import Code
from registry.documents.values import AssociationType, Slot, Submission
from tests.support import xds
from tests.support.soap import SoapClient
from tests.support.submissions import (
    AUTHORITY,
    OTHER_PATIENT,
    PATIENT,
    association,
    entry,
    folder,
    member,
    submission,
    submission_set,
)
from tests.support.xds_node import Node, register


def test_registered_metadata_come_back_whole(node: Node, client: SoapClient) -> None:
    document = entry(
        title="胸部 CT <报告>",
        comments="first\nsecond",
        extra=(Slot("urn:example:ward", ("7", "8")),),
        source_patient_info=("PID-5|Example^Ada", "PID-8|F"),
        event_codes=(Code("CT", "1.2.840.10008.2.6.1", "CT"),),
    )
    answer = register(client, submission(document))
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    assert answer.action == f"{names.ITI_42}Response"
    (found,) = [
        e for e in xds.find_documents(client, PATIENT) if xds.unique_id(e) == document.unique_id
    ]
    assert found.get("id") == found.get("lid") == f"urn:uuid:{document.entry_uuid}"
    assert found.get("status") == xds.APPROVED
    assert xds.slot(found, "urn:example:ward") == ["7", "8"]
    assert xds.slot(found, "sourcePatientInfo") == ["PID-5|Example^Ada", "PID-8|F"]
    name = found.find("rim:Name/rim:LocalizedString", xds.NAMES)
    assert name.get("value") == document.title
    assert found.find("rim:VersionInfo", xds.NAMES).get("versionName") == "1"


def registered(client: SoapClient, *things: Any, **more: Any) -> Submission:
    asked = submission(*things, **more)
    answer = register(client, asked)
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    return asked


def _unknown_patient(client: SoapClient) -> Submission:
    return submission(entry(f"NOBODY^^^&{AUTHORITY}&ISO"))


def _two_patients(client: SoapClient) -> Submission:
    return submission(entry(OTHER_PATIENT), whole=submission_set(PATIENT))


def _twice(client: SoapClient) -> Submission:
    one = entry()
    return submission(one, entry(unique_id=one.unique_id))


def _set_taken(client: SoapClient) -> Submission:
    first = registered(client, entry())
    return submission(entry(), whole=submission_set(unique_id=first.submission_set.unique_id))


def _folder_taken(client: SoapClient) -> Submission:
    first = folder()
    registered(client, first)
    return submission(folder(unique_id=first.unique_id))


def _other_hash(client: SoapClient) -> Submission:
    first = entry()
    registered(client, first)
    return submission(entry(unique_id=first.unique_id, content=b"other"))


def _other_size(client: SoapClient) -> Submission:
    first = entry()
    registered(client, first)
    return submission(entry(unique_id=first.unique_id, size=99_999))


def _entry_uuid_taken(client: SoapClient) -> Submission:
    first = entry()
    registered(client, first)
    return submission(entry(entry_uuid=first.entry_uuid))


def _unresolved(client: SoapClient) -> Submission:
    new = entry()
    return submission(new, association(AssociationType.APND, new.entry_uuid, uuid4()))


def _deprecated(client: SoapClient) -> Submission:
    old, newer, newest = entry(), entry(), entry()
    registered(client, old)
    registered(client, newer, association(AssociationType.RPLC, newer.entry_uuid, old.entry_uuid))
    return submission(newest, association(AssociationType.APND, newest.entry_uuid, old.entry_uuid))


def _missing(client: SoapClient) -> Submission:
    return submission(entry(class_code=None))


def _unknown_code(client: SoapClient) -> Submission:
    return submission(entry(class_code=Code("NO-SUCH", "1.2.3")))


ERRORS = {
    "XDSUnknownPatientId": _unknown_patient,
    "XDSPatientIdDoesNotMatch": _two_patients,
    "XDSRegistryDuplicateUniqueIdInMessage": _twice,
    "XDSDuplicateUniqueIdInRegistry": _set_taken,
    "XDSDuplicateUniqueIdInRegistry ": _folder_taken,
    "XDSNonIdenticalHash": _other_hash,
    "XDSNonIdenticalSize": _other_size,
    "XDSRegistryError": _entry_uuid_taken,
    "UnresolvedReferenceException": _unresolved,
    "XDSRegistryDeprecatedDocumentError": _deprecated,
    "XDSRegistryMetadataError": _missing,
    "XDSRegistryMetadataError ": _unknown_code,
}


@pytest.mark.parametrize("code", ERRORS)
def test_each_refusal_has_its_code_and_stores_nothing(
    node: Node, client: SoapClient, code: str
) -> None:
    asked = ERRORS[code](client)
    head = node.place.facts.head()
    answer = register(client, asked)
    assert xds.status(answer) == names.FAILURE
    assert xds.errors(answer) == [code.strip()]
    assert answer.http_status == 200
    assert node.place.facts.head() == head
    (error,) = answer.body.iterfind(".//rs:RegistryError", xds.NAMES)
    assert error.get("codeContext")
    assert error.get("severity") == names.ERROR


def test_a_refusal_names_attribute_and_code(node: Node, client: SoapClient) -> None:
    (error,) = register(client, _unknown_code(client)).body.iterfind(
        ".//rs:RegistryError", xds.NAMES
    )
    assert "classCode" in error.get("codeContext")
    assert "NO-SUCH^^1.2.3" in error.get("codeContext")
    assert error.get("location") == "classCode"


def test_of_two_replacements_at_once_one_wins(node: Node, client: SoapClient) -> None:
    for _ in range(3):
        old = entry()
        registered(client, old)
        rivals = [entry() for _ in range(4)]

        def replace(new, old=old) -> list[str]:
            own = SoapClient(node.http)
            edge = association(AssociationType.RPLC, new.entry_uuid, old.entry_uuid)
            return xds.errors(register(own, submission(new, edge)))

        with ThreadPoolExecutor(4) as pool:
            outcomes = sorted(pool.map(replace, rivals))
        assert outcomes == [[], *[["XDSRegistryDeprecatedDocumentError"]] * 3]


def test_of_two_equal_submission_sets_at_once_one_wins(node: Node, client: SoapClient) -> None:
    whole = submission_set()

    def send(_: int) -> list[str]:
        own_set = submission_set(unique_id=whole.unique_id)
        return xds.errors(register(SoapClient(node.http), submission(entry(), whole=own_set)))

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(send, range(4)))
    assert outcomes == [[], *[["XDSDuplicateUniqueIdInRegistry"]] * 3]


def test_a_document_is_added_to_a_registered_folder(node: Node, client: SoapClient) -> None:
    case, new = folder(), entry()
    registered(client, case)
    registered(client, new, member(case.entry_uuid, new.entry_uuid))
    with node.index.reading() as look:
        targets = {row.target for row in look.associations(sources=[case.entry_uuid])}
    assert targets == {new.entry_uuid}


def test_success_and_failure_are_recorded(node: Node, client: SoapClient) -> None:
    before = node.place.access.head()
    registered(client, entry())
    register(client, _missing(client))
    facts = [e.fact for e in node.place.access.read(before)]
    assert [(f.action, f.outcome, f.detail) for f in facts] == [
        ("register", "success", ""), ("register", "failed", "metadata_invalid"),
    ]  # fmt: skip
