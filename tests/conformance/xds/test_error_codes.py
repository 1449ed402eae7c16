"""Section 13: every error code of ITI-18, 41, 42, 43 and 51, each produced over HTTP.

ITI TF-3 table 4.2.4.1-2. Codes of other transactions are proven beside them; those of outages by
putting something in the place of what is down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest

from adapters.xds import names
from kernel.identifiers import new_uid
from kernel.ledger.ports import LedgerUnavailable
from kernel.refusals import TooMuch, Unavailable
from projections.database import ViewBehind
from repository.tiers.ports import StorageUnavailable
from tests.support import foreign_xds as foreign
from tests.support import xds
from tests.support.foreign_xds import IHE, Element, drop, find, set_values
from tests.support.soap import Answer, SoapClient
from tests.support.submissions import OTHER_PATIENT, REPOSITORY
from tests.support.xds_node import MAX_RESULTS, Node

E = "$XDSDocumentEntry"
GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
MPQ = "urn:uuid:3d1bdb10-39a2-11de-89c2-2f44d94eaa9f"
Case = Callable[[SoapClient, str], Answer]


def submission(patient: str, *, octets: bool = False, **more: Any) -> Element:
    return foreign.one_document(patient, octets_elsewhere=not octets, **more)


def spoiled(patient: str, change: Callable[[Element], None]) -> Element:
    return foreign.spoiled(submission(patient), change)


def again(client: SoapClient, patient: str, **more: Any) -> Answer:
    unique_id = new_uid()
    foreign.register(client, submission(patient, unique_id=unique_id))
    return foreign.register(client, submission(patient, unique_id=unique_id, **more))


def same_set(client: SoapClient, patient: str) -> Answer:
    parts = foreign.submission_set(patient, unique_id=new_uid())
    foreign.register(client, foreign.request(parts))
    return foreign.register(client, foreign.request(parts))


def two_of_one_id(patient: str, *, octets: bool) -> Element:
    return foreign.request(
        *(foreign.document(patient, f"D{n}", unique_id="1.2.3", octets_elsewhere=not octets) for n in "12"),
        foreign.submission_set(patient), foreign.member("D1"), foreign.member("D2"),
    )  # fmt: skip


def onto_deprecated(client: SoapClient, patient: str) -> Answer:
    foreign.register(client, submission(patient))
    target = foreign.documents_of(client, patient)[0].get("id", "")
    answers = [
        foreign.register(client, foreign.request(
            foreign.document(patient), foreign.submission_set(patient), foreign.member("Document01"),
            foreign.link(f"{IHE}{kind}", "Document01", target)))
        for kind in ("RPLC", "APND")
    ]  # fmt: skip
    assert xds.errors(answers[0]) == []
    return answers[1]


def two_patients(client: SoapClient, patient: str) -> Answer:
    for owner in (patient, OTHER_PATIENT):
        assert xds.errors(foreign.register(client, submission(owner))) == []
    ids = [foreign.documents_of(client, owner)[0].get("id") for owner in (patient, OTHER_PATIENT)]
    return foreign.query(client, GET_DOCUMENTS, {f"{E}EntryUUID": f"('{ids[0]}','{ids[1]}')"})


def too_many(client: SoapClient, patient: str) -> Answer:
    many = [f"D{n}" for n in range(MAX_RESULTS + 1)]
    foreign.register(client, foreign.request(
        foreign.submission_set(patient), *(foreign.document(patient, d) for d in many),
        *map(foreign.member, many)))  # fmt: skip
    return found(client, patient)


def found(client: SoapClient, patient: str, **more: str) -> Answer:
    return foreign.query(client, xds.FIND_DOCUMENTS, {
        f"{E}PatientId": f"'{patient}'", f"{E}Status": f"('{xds.APPROVED}')",
        **{f"{E}{name}": value for name, value in more.items()},
    })  # fmt: skip


NOBODY = "NOBODY^^^&1.2.3&ISO"
CODES: dict[str, tuple[str, Case]] = {
    # ITI-42
    "42 unknown patient": ("XDSUnknownPatientId", lambda c, _: foreign.register(c, submission(NOBODY))),
    "42 patients differ": ("XDSPatientIdDoesNotMatch", lambda c, p: foreign.register(c, foreign.request(
        foreign.document(OTHER_PATIENT), foreign.submission_set(p), foreign.member("Document01")))),
    "42 one id twice": ("XDSRegistryDuplicateUniqueIdInMessage",
        lambda c, p: foreign.register(c, two_of_one_id(p, octets=False))),
    "42 set again": ("XDSDuplicateUniqueIdInRegistry", same_set),
    "42 other hash": ("XDSNonIdenticalHash", lambda c, p: again(c, p, hash_="0" * 40)),
    "42 other size": ("XDSNonIdenticalSize", lambda c, p: again(c, p, size=5)),
    "42 deprecated": ("XDSRegistryDeprecatedDocumentError", onto_deprecated),
    "42 metadata": ("XDSRegistryMetadataError", lambda c, p: foreign.register(
        c, spoiled(p, lambda e: drop(find(e, "Slot", name="creationTime"))))),
    "42 schema": ("XDSRegistryMetadataError", lambda c, p: foreign.register(
        c, spoiled(p, lambda e: find(e, "Association").attrib.pop("targetObject") and None))),
    "42 unresolved": ("UnresolvedReferenceException", lambda c, p: foreign.register(
        c, spoiled(p, lambda e: find(e, "Association").set("targetObject", "nothing")))),
    # ITI-41
    "41 unknown patient": ("XDSUnknownPatientId",
        lambda c, _: foreign.provide(c, submission(NOBODY, octets=True), {"Document01": b"x"})),
    "41 missing document": ("XDSMissingDocument", lambda c, p: foreign.provide(c, submission(p, octets=True), {})),
    "41 missing metadata": ("XDSMissingDocumentMetadata", lambda c, p: foreign.provide(
        c, submission(p, octets=True), {"Document01": b"x", "Other": b"y"})),
    "41 wrong size": ("XDSRepositoryMetadataError", lambda c, p: foreign.provide(
        c, submission(p, octets=True, slots={"size": "7"}), {"Document01": b"x"})),
    "41 one id twice": ("XDSRepositoryDuplicateUniqueIdInMessage", lambda c, p: foreign.provide(
        c, two_of_one_id(p, octets=True), {"D1": b"1", "D2": b"2"})),
    "41 metadata": ("XDSRegistryMetadataError", lambda c, p: foreign.provide(
        c, foreign.spoiled(submission(p, octets=True), lambda e: set_values(find(e, "Slot", name="languageCode"), "?")),
        {"Document01": b"x"})),
    # ITI-43
    "43 unknown document": ("XDSDocumentUniqueIdError", lambda c, _: xds.retrieve_answer(c, REPOSITORY, ["1.2.3"])),
    "43 unknown repository": ("XDSUnknownRepositoryId", lambda c, _: xds.retrieve_answer(c, "1.2.3", ["1.2.3"])),
    "43 malformed": ("XDSRepositoryError", lambda c, _: xds.retrieve_answer(c, "", ["1.2.3"])),
    # ITI-18
    "18 unknown query": ("XDSUnknownStoredQuery", lambda c, _: foreign.query(c, "urn:uuid:0", {})),
    "18 missing": ("XDSStoredQueryMissingParam", lambda c, _: foreign.query(c, xds.FIND_DOCUMENTS, {})),
    "18 number": ("XDSStoredQueryParamNumber", lambda c, p: found(c, p, CreationTimeFrom="('2001','2002')")),
    "18 malformed": ("XDSRegistryError", lambda c, p: found(c, p, CreationTimeFrom="'yesterday'")),
    "18 several patients": ("XDSResultNotSinglePatient", two_patients),
    "18 too many": ("XDSTooManyResults", too_many),
    # ITI-51
    "51 unknown query": ("XDSUnknownStoredQuery",
        lambda c, _: foreign.query(c, GET_DOCUMENTS, {}, action=foreign.ITI51)),
    "51 missing": ("XDSStoredQueryMissingParam", lambda c, _: foreign.query(
        c, MPQ, {f"{E}Status": f"'{xds.APPROVED}'"}, action=foreign.ITI51)),
    "51 number": ("XDSStoredQueryParamNumber", lambda c, p: foreign.query(
        c, MPQ, [(f"{E}Status", f"'{xds.APPROVED}'"), *[(f"{E}PatientId", f"'{p}'")] * 2], action=foreign.ITI51)),
    "51 malformed": ("XDSRegistryError", lambda c, _: foreign.query(
        c, MPQ, {f"{E}Status": f"'{xds.APPROVED}'", f"{E}PatientId": "'P1'"}, action=foreign.ITI51)),
}  # fmt: skip


@pytest.mark.parametrize("case", CODES)
def test_13_a_code_is_told_over_http(client: SoapClient, patient: str, case: str) -> None:
    code, produce = CODES[case]
    answer = produce(client, patient)
    assert answer.http_status == 200
    assert xds.errors(answer) == [code], answer.text()
    (error,) = answer.body.iterfind(".//rs:RegistryError", xds.NAMES)
    assert error.get("codeContext")
    assert error.get("severity") == names.ERROR
    assert patient.partition("^")[0] not in answer.text()


@contextmanager
def down(target: object, method: str, problem: Exception) -> Iterator[None]:
    """Let a method of one of the node's parts fail as it does when something is down."""
    with patch.object(target, method, side_effect=problem):
        yield


OUTAGES: dict[str, tuple[str, str, Exception, str]] = {
    "42 no ledger": ("42", "register", LedgerUnavailable("down"), "XDSRegistryNotAvailable"),
    "41 no ledger": ("41", "register", LedgerUnavailable("down"), "XDSRegistryNotAvailable"),
    "42 busy": ("42", "register", Unavailable("busy"), "XDSRegistryBusy"),
    "41 busy": ("41", "register", Unavailable("busy"), "XDSRepositoryBusy"),
    "42 no room": ("42", "register", TooMuch("full"), "XDSRegistryOutOfResources"),
    "41 no room": ("41", "register", TooMuch("full"), "XDSRepositoryOutOfResources"),
    "41 no disk": ("41", "register", StorageUnavailable("full"), "XDSRepositoryOutOfResources"),
    "18 behind": ("18", "index", ViewBehind("behind"), "XDSRegistryBusy"),
    "43 behind": ("43", "index", ViewBehind("behind"), "XDSRepositoryBusy"),
}


@pytest.mark.parametrize("case", OUTAGES)
def test_13_an_outage_has_its_code(node: Node, client: SoapClient, patient: str, case: str) -> None:
    transaction, part, problem, code = OUTAGES[case]
    target, method = (
        (type(node.register), "_decide") if part == "register" else (type(node.index), "reading")
    )
    with down(target, method, problem):
        if transaction == "42":
            answer = foreign.register(client, submission(patient))
        elif transaction == "41":
            answer = foreign.provide(client, submission(patient, octets=True), {"Document01": b"x"})
        elif transaction == "18":
            answer = found(client, patient)
        else:
            answer = xds.retrieve_answer(client, REPOSITORY, ["1.2.3"])
    assert xds.errors(answer) == [code], answer.text()
