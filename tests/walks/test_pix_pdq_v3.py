"""A registry that speaks HL7 v3 feeds, merges and asks; XDS follows what it says.

ITI-44, 45, 47 (ITI TF-2 3.44, 3.45, 3.47) with ITI-41 and 18, over sockets.
"""

from __future__ import annotations

import time

import httpx
import pytest

from tests.support import hl7v3, xds
from tests.support.running import RunningPianku
from tests.support.soap import SoapClient

ADD, MERGE, FIND = "PRPA_IN201301UV02", "PRPA_IN201304UV02", "PRPA_IN201305UV02"


@pytest.fixture
def client(pianku: RunningPianku) -> SoapClient:
    return SoapClient(pianku.http)


@pytest.mark.tender("H-2")
@pytest.mark.tender("R-6.2.9")
def test_documents_follow_a_merge_told_in_v3(pianku: RunningPianku, client: SoapClient) -> None:
    authority = pianku.demo["assigning_authority"]
    old, new = f"V3A{time.monotonic_ns()}", f"V3B{time.monotonic_ns()}"
    for number in (old, new):
        act = hl7v3.registration([(authority, number)], hl7v3.person(f"Walk{number}", "Ada"))
        assert hl7v3.ack(hl7v3.send(client, ADD, act)) == "CA"
    document = xds.Document(b"a report", f"{old}^^^&{authority}&ISO", mime_type="text/plain")
    assert xds.status(xds.provide_and_register(client, document)) == xds.SUCCESS

    found = hl7v3.send(client, FIND, hl7v3.pdq(hl7v3.by_name(f"Walk{new}")))
    (patient,) = hl7v3.patients(found)
    assert hl7v3.ids_of(patient) == {(authority, new)}

    act = hl7v3.registration(
        [(authority, new)], hl7v3.person(f"Walk{new}", "Ada"), prior=[(authority, old)]
    )
    assert hl7v3.ack(hl7v3.send(client, MERGE, act)) == "CA"

    (entry,) = xds.find_documents(client, f"{new}^^^&{authority}&ISO")
    assert xds.unique_id(entry) == document.unique_id
    assert xds.find_documents(client, f"{old}^^^&{authority}&ISO") == []
    late = xds.Document(b"too late", f"{old}^^^&{authority}&ISO", mime_type="text/plain")
    assert xds.errors(xds.provide_and_register(client, late)) == ["XDSUnknownPatientId"]


def test_the_wsdl_of_the_service_is_there(pianku: RunningPianku) -> None:
    wsdl = httpx.get(f"{pianku.http}/hl7v3?wsdl")

    assert wsdl.status_code == 200
    assert f"{pianku.http}/hl7v3?xsd=messages.xsd" in wsdl.text
    assert httpx.get(f"{pianku.http}/hl7v3?xsd=messages.xsd").status_code == 200
