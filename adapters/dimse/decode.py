"""From octets to values: A-ASSOCIATE PDUs and command sets.

Implements PS3.8 9.3 (PDU structure), D.3 (user information), PS3.7 6.3 (command set, Implicit VR
Little Endian), D.3.3 (negotiation items). Pure; called by `upper_layer.py` and `requestor.py`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"
_FIXED: Final = 68
_PDU_HEAD: Final = struct.Struct(">BBL")
_NO_DATASET: Final = 0x0101
_SYNTAX: Final = re.compile(r"[0-9.]{1,64}")
"""Like a UID: peers name private syntaxes by what breaks the finer rules of PS3.5 9.1."""


class InvalidPdu(ValueError):  # noqa: N818 - says what is so
    """The octets are not the PDU, or the command set, that they say they are."""


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """A presentation context of an A-ASSOCIATE-RQ (PS3.8 9.3.2.2)."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContextResult:
    """A presentation context of an A-ASSOCIATE-AC (PS3.8 9.3.3.2); result 0 is acceptance."""

    id: int
    result: int
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class UserInformation:
    """The user information item (PS3.8 D.3.2, PS3.7 D.3.3)."""

    max_pdu: int = 0
    """0: no limit."""
    implementation_class_uid: str = ""
    implementation_version: str = ""
    roles: tuple[tuple[str, bool, bool], ...] = ()
    """SOP class, SCU role, SCP role."""
    extended: tuple[tuple[str, bytes], ...] = ()
    """SOP class, Service-class-application-information (PS3.7 D.3.3.5)."""


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    """An A-ASSOCIATE-RQ (PS3.8 9.3.2)."""

    protocol_version: int
    called_ae: str
    calling_ae: str
    application_context: str
    contexts: tuple[ProposedContext, ...]
    user: UserInformation


@dataclass(frozen=True, slots=True)
class AssociateAccept:
    """An A-ASSOCIATE-AC (PS3.8 9.3.3)."""

    contexts: tuple[ContextResult, ...]
    user: UserInformation


Command = dict[int, bytes]
"""Element number in group 0000 -> value."""


def associate_request(body: bytes) -> AssociateRequest:
    """Decode the body of an A-ASSOCIATE-RQ; raises InvalidPdu."""
    if len(body) < _FIXED:
        raise InvalidPdu("the A-ASSOCIATE-RQ is too short")
    application, contexts, user = "", [], UserInformation()
    for kind, value in _items(body[_FIXED:]):
        if kind == 0x10:
            application = _uid(value)
        elif kind == 0x20:
            contexts.append(_proposed(value))
        elif kind == 0x50:
            user = _user(value)
    if not contexts or len({context.id for context in contexts}) != len(contexts):
        raise InvalidPdu("presentation contexts are absent or share an id")
    return AssociateRequest(
        protocol_version=int.from_bytes(body[:2], "big"),
        called_ae=_ae_title(body[4:20]),
        calling_ae=_ae_title(body[20:36]),
        application_context=application,
        contexts=tuple(contexts),
        user=user,
    )


def associate_accept(body: bytes) -> AssociateAccept:
    """Decode the body of an A-ASSOCIATE-AC; raises InvalidPdu."""
    if len(body) < _FIXED:
        raise InvalidPdu("the A-ASSOCIATE-AC is too short")
    contexts, user = [], UserInformation()
    for kind, value in _items(body[_FIXED:]):
        if kind == 0x21:
            contexts.append(_result(value))
        elif kind == 0x50:
            user = _user(value)
    return AssociateAccept(tuple(contexts), user)


def pdu_head(octets: bytes) -> tuple[int, int, int]:
    """Return type, reserved octet and length of a PDU (PS3.8 9.3.1)."""
    kind, reserved, length = _PDU_HEAD.unpack(octets)
    return kind, reserved, length


def command(octets: bytes) -> Command:
    """Decode a command set; raises InvalidPdu."""
    elements: Command = {}
    position = 0
    while position < len(octets):
        if position + 8 > len(octets):
            raise InvalidPdu("the command set ends inside an element")
        group, element, length = struct.unpack_from("<HHL", octets, position)
        position += 8
        if group != 0 or position + length > len(octets):
            raise InvalidPdu("the command set holds what does not belong there")
        elements[element] = octets[position : position + length]
        position += length
    return elements


def number(elements: Command, element: int, default: int = -1) -> int:
    """Return an US element of a command set."""
    value = elements.get(element, b"")
    return int.from_bytes(value, "little") if len(value) == 2 else default


def text(elements: Command, element: int) -> str:
    """Return a UI, AE or LO element of a command set without its padding."""
    return elements.get(element, b"").decode("ascii", "replace").strip("\x00 ")


def has_dataset(elements: Command) -> bool:
    """Tell whether a data set follows the command set (Command Data Set Type, PS3.7 E.1)."""
    return number(elements, 0x0800, _NO_DATASET) != _NO_DATASET


def _items(octets: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(octets):
        if position + 4 > len(octets):
            raise InvalidPdu("an item ends inside its header")
        kind, length = octets[position], int.from_bytes(octets[position + 2 : position + 4], "big")
        position += 4
        if position + length > len(octets):
            raise InvalidPdu("an item is longer than its PDU")
        yield kind, octets[position : position + length]
        position += length


def _proposed(value: bytes) -> ProposedContext:
    if len(value) < 4 or value[0] % 2 == 0:
        raise InvalidPdu("a presentation context has no odd id")
    abstract, transfer = [], []
    for kind, inner in _items(value[4:]):
        if kind == 0x30:
            abstract.append(_uid(inner))
        elif kind == 0x40:
            transfer.append(_uid(inner))
    # What is no UID would be told again in the answer, longer than its item can be.
    if not all(map(_SYNTAX.fullmatch, (*abstract, *transfer))):
        raise InvalidPdu("a syntax is named by something that is no UID")
    if len(abstract) != 1 or not transfer:
        raise InvalidPdu("a presentation context needs one abstract and some transfer syntaxes")
    return ProposedContext(value[0], abstract[0], tuple(transfer))


def _result(value: bytes) -> ContextResult:
    if len(value) < 4:
        raise InvalidPdu("a presentation context result is too short")
    syntax = next((_uid(inner) for kind, inner in _items(value[4:]) if kind == 0x40), "")
    return ContextResult(value[0], value[2], syntax)


def _user(value: bytes) -> UserInformation:
    max_pdu, class_uid, version = 0, "", ""
    roles, extended = [], []
    for kind, inner in _items(value):
        if kind == 0x51 and len(inner) == 4:
            max_pdu = int.from_bytes(inner, "big")
        elif kind == 0x52:
            class_uid = _uid(inner)
        elif kind == 0x54:
            roles.append(_role(inner))
        elif kind == 0x55:
            version = inner.decode("ascii", "replace")
        elif kind == 0x56:
            extended.append(_extended(inner))
    return UserInformation(max_pdu, class_uid, version, tuple(roles), tuple(extended))


def _role(value: bytes) -> tuple[str, bool, bool]:
    length = int.from_bytes(value[:2], "big")
    if len(value) != length + 4:
        raise InvalidPdu("a role selection item has a wrong length")
    return _uid(value[2 : 2 + length]), value[-2] == 1, value[-1] == 1


def _extended(value: bytes) -> tuple[str, bytes]:
    length = int.from_bytes(value[:2], "big")
    if len(value) < length + 2:
        raise InvalidPdu("an extended negotiation item has a wrong length")
    return _uid(value[2 : 2 + length]), value[2 + length :]


def _uid(value: bytes) -> str:
    return value.decode("ascii", "replace").strip("\x00 ")


def _ae_title(value: bytes) -> str:
    return value.decode("ascii", "replace").strip("\x00 ")
