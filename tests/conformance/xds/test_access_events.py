"""Section 12: the access event that each transaction leaves behind, good or refused.

ITI TF-2 3.20: who may read the audit trail sees transaction, action, patient and objects. That
they also go to another system (ITI-20) comes later; they lie in the access ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

import pytest

from adapters.xds import names
from kernel.identifiers import PatientId
from tests.support import foreign_xds as foreign
from tests.support import xds
from tests.support.foreign_xds import HAS_MEMBER, Element
from tests.support.soap import Answer, SoapClient
from tests.support.submissions import REPOSITORY
from tests.support.xds_node import Node

GET_ASSOCIATIONS = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"
MPQ = "urn:uuid:3d1bdb10-39a2-11de-89c2-2f44d94eaa9f"
ON_DEMAND = "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"
DOCUMENT, E = "Document01", "$XDSDocumentEntry"
Send = Callable[[SoapClient, str, str], Answer]


def provided(client: SoapClient, patient: str, unique_id: str) -> Answer:
    submit = foreign.one_document(patient, octets_elsewhere=False, unique_id=unique_id)
    return foreign.provide(client, submit, {DOCUMENT: b"octets"})


def registered(client: SoapClient, patient: str, unique_id: str) -> Answer:
    return foreign.register(client, foreign.one_document(patient, unique_id=unique_id))


def on_demand(client: SoapClient, patient: str, unique_id: str) -> Answer:
    submit = foreign.one_document(
        patient, unique_id=unique_id, octets_elsewhere=False,
        slots={"repositoryUniqueId": "1.19.6.24.109"},
    )  # fmt: skip
    foreign.find(submit, "ExtrinsicObject").set("objectType", ON_DEMAND)
    foreign.drop(foreign.find(submit, "Slot", name="creationTime"))
    return client.call("/xds/registry", names.ITI_61, foreign.text(submit))


def own_id(client: SoapClient, patient: str) -> str:
    (found,) = foreign.documents_of(client, patient)
    return found.get("id", "")


def updated(action: str) -> Send:
    def send(client: SoapClient, patient: str, unique_id: str) -> Answer:
        slots = foreign.slot("SubmissionSetStatus", "Original") + foreign.slot(
            "PreviousVersion", "1"
        )
        submit: Element = foreign.request(
            foreign.document(patient, unique_id=unique_id),
            foreign.submission_set(patient),
            foreign.link(HAS_MEMBER, "SubmissionSet01", DOCUMENT, slots),
        )
        foreign.find(submit, "ExtrinsicObject").set("lid", own_id(client, patient))
        return client.call("/xds/registry", action, foreign.text(submit))

    return send


def removed_metadata(client: SoapClient, patient: str, _unique_id: str) -> Answer:
    own = own_id(client, patient)
    answer = foreign.query(client, GET_ASSOCIATIONS, {"$uuid": f"('{own}')"})
    (edge,) = xds.objects(answer)
    listed = "".join(
        f'<q:ObjectRef id="{one}"/>' for one in (own, edge.get("id"), edge.get("sourceObject"))
    )
    return client.call("/xds/registry", names.ITI_62,
        f'<RemoveObjectsRequest xmlns="{names.LCM}" xmlns:q="{names.RIM}"><q:ObjectRefList>{listed}'
        "</q:ObjectRefList></RemoveObjectsRequest>")  # fmt: skip


def removed_document(client: SoapClient, _patient: str, unique_id: str) -> Answer:
    return client.call("/xds/repository", names.ITI_86,
        f'<r:RemoveDocumentsRequest xmlns:r="{names.RMD}" xmlns="{names.XDSB}"><DocumentRequest>'
        f"<RepositoryUniqueId>{REPOSITORY}</RepositoryUniqueId><DocumentUniqueId>{unique_id}"
        "</DocumentUniqueId></DocumentRequest></r:RemoveDocumentsRequest>")  # fmt: skip


def found(query_id: str, action: str) -> Send:
    def send(client: SoapClient, patient: str, _unique_id: str) -> Answer:
        asked = {f"{E}PatientId": f"'{patient}'", f"{E}Status": f"('{xds.APPROVED}')"}
        return foreign.query(client, query_id, asked, action=action)

    return send


def retrieved(client: SoapClient, _patient: str, unique_id: str) -> Answer:
    return xds.retrieve_answer(client, REPOSITORY, [unique_id])


TOLD: Final[dict[str, tuple[str, Send]]] = {
    "ITI-18": ("query", found(xds.FIND_DOCUMENTS, xds.ITI18)),
    "ITI-41": ("store", provided),
    "ITI-42": ("register", registered),
    "ITI-43": ("retrieve", retrieved),
    "ITI-51": ("query", found(MPQ, foreign.ITI51)),
    "ITI-57": ("register", updated(names.ITI_57)),
    "ITI-61": ("register", on_demand),
    "ITI-62": ("remove", removed_metadata),
    "ITI-86": ("remove", removed_document),
    "ITI-92": ("register", updated(names.ITI_92)),
}
FIRST = {"ITI-41", "ITI-42", "ITI-61"}
"""What needs no document beforehand."""


def new_events(node: Node, head: int) -> list[Any]:
    return [event.fact for event in node.place.access.read(head)]


@pytest.mark.tender("H-2", "R-4.1")
@pytest.mark.parametrize("transaction", TOLD)
def test_12_a_success_is_an_access_event_with_its_patient(
    node: Node, client: SoapClient, patient: str, transaction: str
) -> None:
    action, send = TOLD[transaction]
    unique_id = f"2.25.{uuid4().int}"
    if transaction not in FIRST:
        first = registered if transaction in {"ITI-57", "ITI-92"} else provided
        assert xds.errors(first(client, patient, unique_id)) == []
    head = node.place.access.head()
    answer = send(client, patient, unique_id)
    assert xds.errors(answer) == [], answer.text()

    told = [fact for fact in new_events(node, head) if fact.transaction == transaction]
    event = told[-1]
    assert (event.action, event.outcome) == (action, "success")
    assert event.patient_keys == (node.place.keys.key(PatientId.parse(patient)),)
    assert event.count >= 1
    if transaction in {"ITI-18", "ITI-51"}:
        assert event.detail.startswith("urn:uuid:")  # the id of the query
    else:
        assert event.document_ids  # the submission set, or the objects
    assert patient.partition("^")[0] not in repr(event)


def nobody(action: str) -> Send:
    path = "/xds/repository" if action == names.ITI_86 else "/xds/registry"

    def send(client: SoapClient, _patient: str, _unique_id: str) -> Answer:
        submit = foreign.text(foreign.one_document("NOBODY^^^&1.2.3&ISO"))
        return client.call(path, action, submit)

    return send


REFUSED: Final[dict[str, Send]] = {
    "ITI-18": lambda client, _patient, _id: foreign.query(client, xds.FIND_DOCUMENTS, {}),
    "ITI-51": lambda client, _patient, _id: foreign.query(client, MPQ, {}, action=foreign.ITI51),
    "ITI-41": lambda client, patient, _id: foreign.provide(
        client, foreign.one_document(patient, octets_elsewhere=False), {}
    ),
    "ITI-42": nobody(foreign.ITI42),
    "ITI-43": lambda client, _patient, _id: xds.retrieve_answer(client, REPOSITORY, ["1.2.3"]),
    "ITI-57": nobody(names.ITI_57),
    "ITI-61": nobody(names.ITI_61),
    "ITI-62": lambda client, _patient, _id: client.call("/xds/registry", names.ITI_62,
        f'<RemoveObjectsRequest xmlns="{names.LCM}" xmlns:q="{names.RIM}"><q:ObjectRefList>'
        f'<q:ObjectRef id="urn:uuid:{uuid4()}"/></q:ObjectRefList></RemoveObjectsRequest>'),
    "ITI-86": removed_document,
    "ITI-92": nobody(names.ITI_92),
}  # fmt: skip


@pytest.mark.parametrize("transaction", REFUSED)
def test_12_a_refusal_is_an_access_event_too(
    node: Node, client: SoapClient, patient: str, transaction: str
) -> None:
    head = node.place.access.head()
    answer = REFUSED[transaction](client, patient, "1.2.3")
    assert xds.errors(answer), answer.text()
    event = new_events(node, head)[-1]
    assert (event.transaction, event.outcome) == (transaction, "failed")
    assert event.action == TOLD[transaction][0]
    assert event.detail
    assert patient.partition("^")[0] not in repr(event)


def test_12_a_query_that_finds_nothing_still_names_its_patient(
    node: Node, client: SoapClient, patient: str
) -> None:
    head = node.place.access.head()
    assert xds.objects(found(xds.FIND_DOCUMENTS, xds.ITI18)(client, patient, "")) == []
    (event,) = new_events(node, head)
    assert event.patient_keys == (node.place.keys.key(PatientId.parse(patient)),)


def test_12_a_retrieval_is_told_twice_where_some_failed(
    node: Node, client: SoapClient, patient: str
) -> None:
    unique_id = f"2.25.{uuid4().int}"
    assert xds.errors(provided(client, patient, unique_id)) == []
    head = node.place.access.head()
    xds.retrieve_answer(client, REPOSITORY, [unique_id, "1.2.3"])
    good, bad = new_events(node, head)
    assert (good.outcome, good.document_ids) == ("success", (unique_id,))
    assert (bad.outcome, bad.document_ids) == ("failed", ("1.2.3",))
