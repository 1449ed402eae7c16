"""The hospital's patient feed makes persons known; documents of strangers are refused.

ITI-8 (ITI TF-2 3.8) over MLLP: A01, A04, A08, and what a sender gets for a broken message.
"""

from __future__ import annotations

import socket
import time

import pytest

from tests.support import mllp, xds
from tests.support.running import RunningPianku
from tests.support.soap import SoapClient

pytestmark = pytest.mark.tender("R-6.2.5")


@pytest.mark.parametrize("event", ["A01", "A04"])
def test_a_fed_patient_may_have_documents(pianku: RunningPianku, event: str) -> None:
    number, authority = f"FD{time.monotonic_ns()}", pianku.demo["assigning_authority"]
    document = xds.Document(b"text", f"{number}^^^&{authority}&ISO", mime_type="text/plain")
    client = SoapClient(pianku.http)
    assert xds.errors(xds.provide_and_register(client, document)) == ["XDSUnknownPatientId"]

    said = mllp.send(pianku.mllp_port, mllp.admission(number, authority, event=event))

    assert mllp.accepted(said), said
    # Read your writes: the very next request, by another door, sees the patient.
    assert xds.status(xds.provide_and_register(client, document)) == xds.SUCCESS


def test_an_update_and_a_repeated_message_are_accepted(pianku: RunningPianku) -> None:
    number, authority = f"FU{time.monotonic_ns()}", pianku.demo["assigning_authority"]
    message = mllp.admission(number, authority, "Before^Update")

    for each in (message, message, mllp.admission(number, authority, "After^Update", event="A08")):
        assert mllp.accepted(mllp.send(pianku.mllp_port, each))


def test_a_chinese_name_arrives_in_the_charset_the_message_names(pianku: RunningPianku) -> None:
    number, authority = f"FC{time.monotonic_ns()}", pianku.demo["assigning_authority"]
    message = mllp.admission(number, authority, "测试^病人").replace(
        "UNICODE UTF-8", "GB 18030-2000"
    )

    assert mllp.accepted(mllp.send(pianku.mllp_port, message, charset="gb18030"))


def test_a_foreign_authority_and_a_broken_message_are_refused(pianku: RunningPianku) -> None:
    authority = pianku.demo["assigning_authority"]
    message = mllp.admission("FX1", authority)

    foreign = mllp.send(pianku.mllp_port, mllp.admission("FX1", "1.2.3.4.5"))
    no_patient = mllp.send(
        pianku.mllp_port, "\r".join(s for s in message.split("\r") if not s.startswith("PID"))
    )

    assert not mllp.accepted(foreign)
    assert not mllp.accepted(no_patient)
    assert "MSA|" in no_patient


def test_several_messages_on_one_connection_are_answered_in_order(pianku: RunningPianku) -> None:
    authority = pianku.demo["assigning_authority"]
    messages = [mllp.admission(f"FO{time.monotonic_ns()}{n}", authority) for n in range(20)]
    with socket.create_connection(("127.0.0.1", pianku.mllp_port), timeout=30) as connection:
        for message in messages:
            connection.sendall(b"\x0b" + message.encode() + b"\x1c\x0d")
        said = b""
        while said.count(b"\x1c\x0d") < len(messages):
            said += connection.recv(65536)

    controls = [m.split("|")[9] for m in messages]
    answered = [a.split("MSA|AA|")[1].split("|")[0].split("\r")[0]
                for a in said.decode().split("\x1c\x0d")[:-1]]  # fmt: skip
    assert answered == controls
