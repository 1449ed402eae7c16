"""From values to octets: PDUs and command sets.

Implements PS3.8 9.3 (PDU structure), D.3 (user information), PS3.7 6.3 (command set), 9.3
(DIMSE-C messages). Pure; called by `upper_layer.py`, `requestor.py` and the services.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Final

from adapters.dimse.decode import (
    APPLICATION_CONTEXT,
    AssociateRequest,
    ContextResult,
    ProposedContext,
    UserInformation,
)

NO_DATASET: Final = 0x0101
RELEASE_RQ: Final = b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00"
RELEASE_RP: Final = b"\x06\x00\x00\x00\x00\x04\x00\x00\x00\x00"
COMMAND: Final = 0x01
LAST: Final = 0x02


def associate_request(
    called_ae: str, calling_ae: str, contexts: Iterable[ProposedContext], user: UserInformation
) -> bytes:
    """Return an A-ASSOCIATE-RQ."""
    items = b"".join(
        _item(
            0x20,
            bytes((context.id, 0, 0, 0))
            + _item(0x30, context.abstract_syntax.encode())
            + b"".join(_item(0x40, uid.encode()) for uid in context.transfer_syntaxes),
        )
        for context in contexts
    )
    return _associate(0x01, _ae_title(called_ae) + _ae_title(calling_ae), items, user)


def associate_accept(
    request: AssociateRequest, results: Iterable[ContextResult], user: UserInformation
) -> bytes:
    """Return the A-ASSOCIATE-AC that answers `request`."""
    items = b"".join(
        _item(
            0x21,
            bytes((result.id, 0, result.result, 0)) + _item(0x40, result.transfer_syntax.encode()),
        )
        for result in results
    )
    titles = _ae_title(request.called_ae) + _ae_title(request.calling_ae)
    return _associate(0x02, titles, items, user)


def associate_reject(result: int, source: int, reason: int) -> bytes:
    """Return an A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
    return _pdu(0x03, bytes((0, result, source, reason)))


def abort(source: int, reason: int) -> bytes:
    """Return an A-ABORT (PS3.8 9.3.8); source 0 is the service user, 2 the provider."""
    return _pdu(0x07, bytes((0, 0, source, reason)))


def data_header(context_id: int, control: int, length: int) -> bytes:
    """Return the head of a P-DATA-TF PDU that holds one fragment of `length` octets."""
    return struct.pack(">BBLLBB", 0x04, 0, length + 6, length + 2, context_id, control)


def command(elements: Mapping[int, int | str | bytes]) -> bytes:
    """Return a command set; numbers are written as US, texts as UI (NUL padded), octets as is."""
    body = b"".join(_element(number, value) for number, value in sorted(elements.items()))
    return struct.pack("<HHLL", 0, 0, 4, len(body)) + body


def _element(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return struct.pack("<HHLH", 0, number, 2, value)
    octets = value if isinstance(value, bytes) else value.encode("ascii", "replace")
    if len(octets) % 2:
        # Texts that are not UIDs are padded with a space (PS3.5 6.2).
        octets += b"\x00" if number in _UIDS else b" "
    return struct.pack("<HHL", 0, number, len(octets)) + octets


_UIDS: Final = frozenset({0x0002, 0x0003, 0x1000, 0x1001})


def _associate(kind: int, titles: bytes, items: bytes, user: UserInformation) -> bytes:
    body = b"".join(
        (
            b"\x00\x01\x00\x00",
            titles,
            bytes(32),
            _item(0x10, APPLICATION_CONTEXT.encode()),
            items,
            _item(0x50, _user(user)),
        )
    )
    return _pdu(kind, body)


def _user(user: UserInformation) -> bytes:
    return b"".join(
        (
            _item(0x51, user.max_pdu.to_bytes(4, "big")),
            _item(0x52, user.implementation_class_uid.encode()),
            b"".join(
                _item(0x54, len(uid).to_bytes(2, "big") + uid.encode() + bytes((scu, scp)))
                for uid, scu, scp in user.roles
            ),
            _item(0x55, user.implementation_version.encode()),
            b"".join(
                _item(0x56, len(uid).to_bytes(2, "big") + uid.encode() + fields)
                for uid, fields in user.extended
            ),
        )
    )


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def _pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBL", kind, 0, len(body)) + body


def _ae_title(title: str) -> bytes:
    return title.encode("ascii", "replace")[:16].ljust(16)
