"""DIMSE messages on a wire: fragments in, fragments out, one message at a time.

PS3.8 9.3.5 (P-DATA-TF), E.2 (message control header), PS3.7 6.3 and 8 (messages). Used by the
acceptor (`association.py`) and the requestor (`requestor.py`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from adapters.dimse import decode, encode
from adapters.dimse.decode import Command, InvalidPdu
from adapters.dimse.limits import Limits
from adapters.dimse.upper_layer import (
    INVALID_PARAMETER,
    NO_REASON,
    PDU_EVENTS,
    UNRECOGNISED_PDU,
    Event,
)
from adapters.dimse.wire import Wire

_HEAD: Final = struct.Struct(">BBL")
_PDV: Final = struct.Struct(">LBB")
_OUR_MAX_SENT: Final = 1 << 18


class Interrupted(Exception):  # noqa: N818 - an event of the upper layer, not an error
    """Something other than the awaited data came; `event` says what."""

    def __init__(self, event: Event, reason: int = NO_REASON) -> None:
        super().__init__(event.value)
        self.event = event
        self.reason = reason


class Fragment(NamedTuple):
    """A presentation data value: its octets are next on the wire."""

    context_id: int
    is_command: bool
    is_last: bool
    length: int


class Messages:
    """Reads and writes the messages of one association."""

    def __init__(self, wire: Wire, limits: Limits, *, peer_max_pdu: int) -> None:
        self.wire = wire
        self._limits = limits
        self._pdu_left = 0
        # 12 octets are the heads; a peer that tells nonsense gets small PDUs, not endless ones.
        limit = min(peer_max_pdu or _OUR_MAX_SENT, _OUR_MAX_SENT)
        self._most = max(limit - 6, 1024)

    def read_command(self) -> tuple[int, Command]:
        """Return context id and command set of the next message; raises Interrupted."""
        parts = bytearray()
        context_id = 0
        while True:
            fragment = self._next()
            self._check(fragment.is_command and context_id in {0, fragment.context_id})
            context_id = fragment.context_id
            self._check(len(parts) + fragment.length <= self._limits.max_identifier)
            parts += self._octets(fragment.length)
            if fragment.is_last:
                break
        try:
            command = decode.command(bytes(parts))
        except InvalidPdu:
            raise Interrupted(Event.EVT19, INVALID_PARAMETER) from None
        # What names no command (PS3.7 E.1) has no response either.
        self._check(decode.number(command, 0x0100) >= 0)
        return context_id, command

    def fragments(self, context_id: int) -> Iterator[int]:
        """Yield the length of each fragment of the data set; the caller reads the octets."""
        while True:
            fragment = self._next()
            self._check(not fragment.is_command and fragment.context_id == context_id)
            yield fragment.length
            if fragment.is_last:
                return

    def read_dataset(self, context_id: int) -> bytes:
        """Return a data set that fits in memory (an identifier)."""
        parts = bytearray()
        for length in self.fragments(context_id):
            self._check(len(parts) + length <= self._limits.max_identifier)
            parts += self._octets(length)
        return bytes(parts)

    def drop_dataset(self, context_id: int) -> None:
        """Read a data set and forget it."""
        passed = 0
        for length in self.fragments(context_id):
            passed += length
            self._check(passed <= self._limits.max_dataset)
            self.wire.skip(length)

    def send(self, context_id: int, command: bytes, dataset: bytes | None = None) -> None:
        """Send a message whose data set fits in memory."""
        if dataset is None:
            header = encode.data_header(context_id, encode.COMMAND | encode.LAST, len(command))
            self.wire.send(header + command)
            return
        self.send_dataset(context_id, command, (dataset,), len(dataset))

    def send_dataset(
        self, context_id: int, command: bytes, chunks: Iterable[bytes | memoryview], size: int
    ) -> None:
        """Send a command and `size` octets of a data set in fragments the peer can take."""
        control = encode.COMMAND | encode.LAST
        parts: list[bytes | memoryview] = [
            encode.data_header(context_id, control, len(command)),
            command,
        ]
        for chunk in chunks:
            view = memoryview(chunk)
            for start in range(0, len(view), self._most):
                part = view[start : start + self._most]
                size -= len(part)
                control = 0 if size > 0 else encode.LAST
                parts += (encode.data_header(context_id, control, len(part)), part)
            # Gathered by the kernel: small PDUs, which most peers ask for, cost no copy and
            # no system call each.
            self.wire.send_parts(parts)
            parts = []
        if parts:
            self.wire.send_parts(parts)

    def _next(self) -> Fragment:
        while self._pdu_left == 0:
            kind, _, length = _HEAD.unpack(self.wire.take(6))
            event = PDU_EVENTS.get(kind)
            if event is None:
                raise Interrupted(Event.EVT19, UNRECOGNISED_PDU)
            if event is not Event.EVT10:
                self._check(length <= 1 << 17)
                self.wire.skip(length)
                raise Interrupted(event)
            self._check(6 <= length <= self._limits.max_pdu)
            self._pdu_left = length
        self._check(self._pdu_left >= 6)
        length, context_id, control = _PDV.unpack(self.wire.take(6))
        self._check(2 <= length <= self._pdu_left - 4)
        self._pdu_left -= length + 4
        return Fragment(
            context_id, bool(control & encode.COMMAND), bool(control & encode.LAST), length - 2
        )

    def _octets(self, length: int) -> bytearray:
        octets = bytearray(length)
        self.wire.copy_into(memoryview(octets))
        return octets

    @staticmethod
    def _check(holds: bool) -> None:
        if not holds:
            raise Interrupted(Event.EVT19, INVALID_PARAMETER)
