"""A patient identity source: HL7 v2 messages over MLLP, and the acknowledgment read back.

ITI TF-2 3.8 (patient identity feed), HL7 v2 appendix C (minimal lower layer protocol).
Called by walks, soak tests and benchmarks.
"""

from __future__ import annotations

import socket
from uuid import uuid4


def send(port: int, message: str, *, host: str = "127.0.0.1", charset: str = "utf-8") -> str:
    """Send one message and return the acknowledgment."""
    with socket.create_connection((host, port), timeout=30) as connection:
        connection.sendall(b"\x0b" + message.encode(charset) + b"\x1c\x0d")
        said = b""
        while not said.endswith(b"\x1c\x0d"):
            piece = connection.recv(65536)
            if not piece:
                break
            said += piece
    return said.strip(b"\x0b\x1c\x0d").decode(charset)


def admission(
    patient_id: str, authority: str, name: str = "Walk^Feed", *, event: str = "A01",
    birth_date: str = "19800203", sex: str = "F",
) -> str:  # fmt: skip
    """Return an ADT message that makes a patient known."""
    number, head = uuid4().hex[:20], r"^~\&|HIS|WALK|PIANKU|PIANKU"
    return "\r".join(
        (
            f"MSH|{head}|20260301101500||ADT^{event}^ADT_A01|{number}|P|2.3.1|||||CHN|UNICODE UTF-8",
            f"EVN|{event}|20260301101500",
            f"PID|||{patient_id}^^^&{authority}&ISO||{name}||{birth_date}|{sex}",
            "PV1||I",
            "",
        )
    )


def accepted(acknowledgment: str) -> bool:
    """Return whether the acknowledgment says AA."""
    return any(line.startswith("MSA|AA") for line in acknowledgment.split("\r"))
