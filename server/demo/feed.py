"""Send the demo's patients over MLLP, one message after the other on one connection.

Implements the source of ITI-8 (ITI TF-2 3.8) over HL7 MLLP release 1.
Called by `load`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Final

from server.demo.doors import DemoTarget, StillOpening, open_socket, patiently
from server.demo.refusals import DoorRefused

_START: Final = b"\x0b"
_END: Final = b"\x1c\r"
_LONGEST_ANSWER: Final = 1 << 16


def feed(target: DemoTarget, messages: Sequence[bytes], done: Callable[[int], None]) -> None:
    """Send the messages and read their acknowledgements; raises DoorRefused on AE or AR."""
    door = f"MLLP at {target.mllp[0]}:{target.mllp[1]}"
    # A server may take the connection before it is ready and then drop it: from the start again.
    patiently(
        lambda: _send_all(target, messages, done, door), door=door, seconds=target.patience_seconds
    )


def _send_all(
    target: DemoTarget, messages: Sequence[bytes], done: Callable[[int], None], door: str
) -> None:
    with open_socket(target.mllp, door=door, seconds=target.patience_seconds) as connection:
        for count, message in enumerate(messages, start=1):
            connection.sendall(_START + message + _END)
            code, text = acknowledgement(_receive(connection))
            if code not in {"AA", "CA"}:
                control_id = message.split(b"|")[9].decode()
                raise DoorRefused(door, code or "no MSA", f"message {control_id} {text}".strip())
            done(count)


def acknowledgement(message: bytes) -> tuple[str, str]:
    """Return MSA-1 and what the answer says of the trouble: MSA-3, ERR-1 to ERR-5."""
    code, texts = "", []
    for line in message.decode("utf-8", "replace").split("\r"):
        fields = line.split("|")
        if fields[0] == "MSA":
            code = fields[1] if len(fields) > 1 else ""
            texts.extend(fields[3:4])
        elif fields[0] == "ERR":
            texts.extend(field for field in fields[1:6] if field)
    return code, " ".join(text for text in texts if text)


def _receive(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(_END):
        piece = connection.recv(4096)
        if not piece or len(data) > _LONGEST_ANSWER:
            raise StillOpening("a closed connection")
        data += piece
    return data.removeprefix(_START).removesuffix(_END)
