"""Asynchronous web services: 202 now, the answer posted to ReplyTo with RelatesTo.

ITI TF-2 Appendix V.3.2.2; of XDS and of HL7 v3, over sockets.
"""

from __future__ import annotations

import time
from uuid import uuid4

import httpx
import pytest
from lxml import etree

from tests.support import dsub, hl7v3, mllp, soap, xds
from tests.support.running import RunningPianku


def ask(base: str, path: str, action: str, body: str, reply_to: str) -> tuple[httpx.Response, str]:
    message_id = f"urn:uuid:{uuid4()}"
    octets = soap.envelope(f"{base}{path}", action, message_id, body).replace(
        f"<a:Address>{soap.ADDRESSING}/anonymous</a:Address>".encode(),
        f"<a:Address>{reply_to}</a:Address>".encode(),
    )
    kind = "application/soap+xml; charset=UTF-8"
    answer = httpx.post(f"{base}{path}", content=octets, headers={"Content-Type": kind})
    return answer, message_id


def header(message: etree._Element, name: str) -> str:
    return str(message.findtext(f".//{{{soap.ADDRESSING}}}{name}", ""))


def query(patient: str) -> str:
    parameters = xds.slots({
        "$XDSDocumentEntryPatientId": f"'{patient}'",
        "$XDSDocumentEntryStatus": f"('{xds.APPROVED}')",
    })  # fmt: skip
    return (
        f'<query:AdhocQueryRequest xmlns:query="{xds.QUERY}" xmlns:rim="{xds.RIM}">'
        f'<query:ResponseOption returnType="LeafClass" returnComposedObjects="true"/>'
        f'<rim:AdhocQuery id="{xds.FIND_DOCUMENTS}">{parameters}</rim:AdhocQuery>'
        f"</query:AdhocQueryRequest>"
    )


@pytest.mark.tender("R-6.2.6.1")
@pytest.mark.tender("R-6.2.3.1")
def test_s8_answers_come_to_the_address_given(pianku: RunningPianku) -> None:
    authority = pianku.demo["assigning_authority"]
    number = f"ASY{time.monotonic_ns()}"
    assert mllp.accepted(mllp.send(pianku.mllp_port, mllp.admission(number, authority)))
    with dsub.Recipient() as there:
        said, query_id = ask(
            pianku.http, "/xds/registry", xds.ITI18, query(f"{number}^^^&{authority}&ISO"),
            there.address,
        )  # fmt: skip
        assert (said.status_code, said.content) == (202, b"")
        (answer,) = there.wait(1)
        assert header(answer, "RelatesTo") == query_id
        assert header(answer, "Action") == f"{xds.ITI18}Response"
        assert header(answer, "To") == there.address
        found = answer.find(".//query:AdhocQueryResponse", xds.NAMES)
        assert found is not None
        assert found.get("status") == xds.SUCCESS

        act = hl7v3.pix_query((authority, number))
        pix = f'<PRPA_IN201309UV02 xmlns="{hl7v3.HL7}"><id root="2.25.1"/>'
        pix += f"<controlActProcess>{act}</controlActProcess></PRPA_IN201309UV02>"
        said, pix_id = ask(
            pianku.http, "/hl7v3", f"{hl7v3.HL7}:PRPA_IN201309UV02", pix, there.address
        )
        assert said.status_code == 202
        assert header(there.wait(2)[1], "RelatesTo") == pix_id


def test_s8_an_address_that_is_not_allowed_is_refused_at_once(pianku: RunningPianku) -> None:
    said, _ = ask(
        pianku.http, "/xds/registry", xds.ITI18, query("X^^^&1.2.3&ISO"), "http://192.0.2.1/a"
    )

    assert said.status_code == 400
    assert "OnlyAnonymousAddressSupported" in said.text
