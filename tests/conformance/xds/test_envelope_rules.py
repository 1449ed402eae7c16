"""Section 1: S1 to S11, the envelope of every XDS message, over a real socket.

ITI TF-2 Appendix V, WS-Addressing 1.0, SOAP 1.2. Each test bears the row it proves; S6 is told in
`test_strangers.py`, S8 with asynchronous web services.
"""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from lxml import etree

from adapters.xds import names
from tests.support import foreign_xds as foreign
from tests.support import xds
from tests.support.soap import ADDRESSING, ENVELOPE, Answer, SoapClient
from tests.support.submissions import REPOSITORY
from tests.support.xds_node import Node

SIMPLE = "application/soap+xml; charset=UTF-8"
ASKED = foreign.slot("$uuid", f"'urn:uuid:{uuid4()}'").replace("q:", "")
QUERY = (
    f'<AdhocQueryRequest xmlns="{names.QUERY}"><ResponseOption returnType="ObjectRef"/>'
    f'<AdhocQuery xmlns="{names.RIM}" id="urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155">'
    f"{ASKED}</AdhocQuery></AdhocQueryRequest>"
)
ACTION = f'<a:Action s:mustUnderstand="1">{names.ITI_18}</a:Action>'


def send(
    node: Node, headers: str = ACTION, *, more: str = "", body: str = QUERY, kind: str = SIMPLE
) -> Answer:
    octets = (
        f'<s:Envelope xmlns:s="{ENVELOPE}" xmlns:a="{ADDRESSING}"><s:Header>{headers}</s:Header>'
        f"{more}<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()
    return foreign.post(node.http, "/xds/registry", octets, {"Content-Type": kind})


def answered(answer: Answer) -> None:
    assert xds.status(answer) == xds.SUCCESS, answer.text()


@pytest.mark.parametrize(
    ("headers", "more"),
    [
        (ACTION, "<s:Header/>"),
        (ACTION, f"<s:Body>{QUERY}</s:Body>"),
        ("", ""),
        (ACTION + ACTION, ""),
        *((ACTION + f"<a:{name}>urn:x</a:{name}>" * 2, "") for name in ("To", "MessageID")),
        *(
            (ACTION + f"<a:{name}><a:Address>{ADDRESSING}/anonymous</a:Address></a:{name}>" * 2, "")
            for name in ("From", "ReplyTo", "FaultTo")
        ),
    ],
)
def test_s1_one_of_each(node: Node, headers: str, more: str) -> None:
    answer = send(node, headers, more=more)
    assert (answer.http_status, answer.is_fault) == (400, True)


def test_s1_headers_may_be_missing_or_strange(node: Node) -> None:
    answered(send(node, f'{ACTION}<x:Trace xmlns:x="urn:x" s:mustUnderstand="0">7</x:Trace>'))
    answered(
        send(node, f"{ACTION}<a:From><a:Address>urn:me</a:Address></a:From><a:To>urn:x</a:To>")
    )


@pytest.mark.parametrize("value", ["1", "0", "true", "TRUE", "False", None])
def test_s2_must_understand_in_any_form(node: Node, value: str | None) -> None:
    told = "" if value is None else f' s:mustUnderstand="{value}"'
    answered(send(node, f"<a:Action{told}>{names.ITI_18}</a:Action>"))


def test_s2_responses_carry_must_understand_on_action(node: Node) -> None:
    octets = (
        f'<s:Envelope xmlns:s="{ENVELOPE}" xmlns:a="{ADDRESSING}"><s:Header>{ACTION}</s:Header>'
        f"<s:Body>{QUERY}</s:Body></s:Envelope>"
    ).encode()
    connection = http.client.HTTPConnection(urlsplit(node.http).netloc, timeout=30)
    connection.request("POST", "/xds/registry", octets, {"Content-Type": SIMPLE})
    answer = connection.getresponse()
    root = etree.fromstring(answer.read())
    connection.close()
    assert answer.getheader("Content-Type", "").startswith("application/soap+xml")
    (header,) = root.findall(f"{{{ENVELOPE}}}Header")
    (action,) = header.findall(f"{{{ADDRESSING}}}Action")
    assert action.get(f"{{{ENVELOPE}}}mustUnderstand") in {"1", "true"}


@pytest.mark.parametrize("text", [f" {names.ITI_18}", f"{names.ITI_18}\n", "", " "])
def test_s3_white_space_around_the_action(node: Node, text: str) -> None:
    assert send(node, f"<a:Action>{text}</a:Action>").is_fault


def test_s3_every_response_has_its_action_and_relates_to(client: SoapClient, patient: str) -> None:
    submit = foreign.one_document(patient, octets_elsewhere=False)
    asked = {"$uuid": f"'urn:uuid:{uuid4()}'"}
    get = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"
    answers = {
        "urn:ihe:iti:2007:RegistryStoredQueryResponse": foreign.query(client, get, asked),
        "urn:ihe:iti:2009:MultiPatientStoredQueryResponse": foreign.query(
            client, get, asked, action=foreign.ITI51
        ),
        "urn:ihe:iti:2007:RegisterDocumentSet-bResponse": foreign.register(client, submit),
        "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse": foreign.provide(
            client, submit, {"Document01": b"x"}
        ),
        "urn:ihe:iti:2007:RetrieveDocumentSetResponse": xds.retrieve_answer(
            client, REPOSITORY, ["1.2.3"]
        ),
    }
    for action, answer in answers.items():
        assert answer.action == action
        assert answer.relates_to == answer.message_id


@pytest.mark.parametrize(
    ("kind", "fine"),
    [
        ("application/soap+xml", True),
        (f'application/soap+xml; action="{names.ITI_18}"', True),
        (f'application/soap+xml; action="{names.ITI_42}"', False),
    ],
)
def test_s4_the_action_parameter_may_be_missing_not_other(
    node: Node, kind: str, fine: bool
) -> None:
    assert send(node, kind=kind).is_fault is not fine


@pytest.mark.parametrize("path", ["/xds/registry", "/xds/repository"])
def test_s4_no_wsdl_requires_a_soap_action(node: Node, path: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(node.http).netloc, timeout=30)
    connection.request("GET", f"{path}?wsdl")
    root = etree.fromstring(connection.getresponse().read())
    connection.close()
    operations = root.findall(".//{http://schemas.xmlsoap.org/wsdl/soap12/}operation")
    assert len(operations) >= 2
    assert {o.get("soapActionRequired") for o in operations} == {"false"}


def test_s5_a_provide_without_mtom_is_told_so(client: SoapClient, patient: str) -> None:
    submit = foreign.text(foreign.one_document(patient, octets_elsewhere=False))
    body = (
        f'<x:ProvideAndRegisterDocumentSetRequest xmlns:x="{names.XDSB}">{submit}'
        '<x:Document id="Document01">eA==</x:Document></x:ProvideAndRegisterDocumentSetRequest>'
    )
    answer = client.call("/xds/repository", xds.ITI41, body)
    assert answer.is_fault
    assert "MTOM" in answer.text()


def test_s7_repository_answers_are_packages_with_a_part_a_document(
    node: Node, client: SoapClient, patient: str
) -> None:
    unique_ids = []
    for content in (b"one", b"two"):
        submit = foreign.one_document(patient, octets_elsewhere=False)
        assert xds.errors(foreign.provide(client, submit, {"Document01": content})) == []
    unique_ids = [xds.unique_id(entry) for entry in foreign.documents_of(client, patient)]
    answer = xds.retrieve_answer(client, REPOSITORY, unique_ids)
    assert sorted(answer.parts.values()) == [b"one", b"two"]
    none = xds.retrieve_answer(client, REPOSITORY, ["1.2.3"])
    assert none.parts == {}


def test_s9_what_is_wrong_with_the_content_is_no_fault(client: SoapClient, patient: str) -> None:
    submit = foreign.one_document("NOBODY^^^&1.2.3&ISO")
    for answer in (
        foreign.register(client, submit),
        foreign.query(client, "urn:uuid:nothing", {}),
        foreign.query(client, xds.FIND_DOCUMENTS, {}),
    ):
        assert (answer.http_status, answer.is_fault) == (200, False)
        assert xds.status(answer) == names.FAILURE


def test_s10_errors_have_code_context_and_severity(client: SoapClient, patient: str) -> None:
    for answer in (
        foreign.register(client, foreign.one_document("NOBODY^^^&1.2.3&ISO")),
        foreign.query(client, xds.FIND_DOCUMENTS, {}),
        xds.retrieve_answer(client, REPOSITORY, ["1.2.3"]),
    ):
        (listed,) = answer.body.iterfind(".//rs:RegistryErrorList", xds.NAMES)
        assert listed.get("highestSeverity") in {None, names.ERROR}
        for error in listed:
            assert error.get("errorCode")
            assert error.get("codeContext")
            assert error.get("severity") == names.ERROR


def test_s11_a_success_has_no_errors(client: SoapClient, patient: str) -> None:
    answer = foreign.register(client, foreign.one_document(patient))
    assert (xds.status(answer), xds.errors(answer)) == (xds.SUCCESS, [])


@pytest.mark.parametrize(("must", "fine"), [("1", False), ("true", False), ("0", True), ("", True)])
def test_12_a_security_header_is_not_understood_yet(node: Node, must: str, fine: bool) -> None:
    # XUA (ITI-40) comes later: who insists on his assertion must not be answered without it.
    wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
    told = f' s:mustUnderstand="{must}"' if must else ""
    answer = send(node, f'{ACTION}<w:Security xmlns:w="{wsse}"{told}/>')
    assert answer.is_fault is not fine
