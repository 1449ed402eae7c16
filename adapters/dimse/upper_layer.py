"""The acceptor's side of the DICOM upper layer: the state table of the standard, run.

PS3.8 9.2.3 (state transition table 9-10; labels Sta, Evt, AE, DT, AR, AA are the standard's).
Called by `association.py`; a requestor's states are in `requestor.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Final

from adapters.dimse import encode
from adapters.dimse.wire import PeerClosed, PeerStalled, Wire

SERVICE_USER: Final = 0
SERVICE_PROVIDER: Final = 2
NO_REASON: Final = 0
UNRECOGNISED_PDU: Final = 1
UNEXPECTED_PDU: Final = 2
INVALID_PARAMETER: Final = 6


class State(Enum):
    """Where an association stands (table 9-10); 3 and 8 wait for ourselves."""

    STA1 = "idle"
    STA2 = "transport open, awaiting A-ASSOCIATE-RQ"
    STA3 = "awaiting our A-ASSOCIATE response"
    STA6 = "established, ready for data transfer"
    STA8 = "awaiting our A-RELEASE response"
    STA13 = "awaiting the transport to close"


class Event(Enum):
    """What happens to an association (table 9-10)."""

    EVT3 = "A-ASSOCIATE-AC received"
    EVT4 = "A-ASSOCIATE-RJ received"
    EVT6 = "A-ASSOCIATE-RQ received"
    EVT7 = "we accept"
    EVT8 = "we reject"
    EVT10 = "P-DATA-TF received"
    EVT12 = "A-RELEASE-RQ received"
    EVT13 = "A-RELEASE-RP received"
    EVT14 = "we answer the release"
    EVT15 = "we abort"
    EVT16 = "A-ABORT received"
    EVT17 = "transport closed"
    EVT18 = "timer expired"
    EVT19 = "unrecognised or invalid PDU"


PDU_EVENTS: Final = {
    0x01: Event.EVT6,
    0x02: Event.EVT3,
    0x03: Event.EVT4,
    0x04: Event.EVT10,
    0x05: Event.EVT12,
    0x06: Event.EVT13,
    0x07: Event.EVT16,
}
"""PDU type -> event (PS3.8 9.3.1)."""

_S, _E = State, Event
_UNEXPECTED: Final = (_E.EVT3, _E.EVT4, _E.EVT13)

TRANSITIONS: Final[dict[tuple[State, Event], tuple[str, State]]] = {
    # Sta2: awaiting A-ASSOCIATE-RQ
    (_S.STA2, _E.EVT6): ("AE-6", _S.STA3),
    **{(_S.STA2, e): ("AA-1", _S.STA13) for e in (*_UNEXPECTED, _E.EVT10, _E.EVT12, _E.EVT19)},
    (_S.STA2, _E.EVT16): ("AA-2", _S.STA1),
    (_S.STA2, _E.EVT17): ("AA-5", _S.STA1),
    (_S.STA2, _E.EVT18): ("AA-2", _S.STA1),
    # Sta3: we decide
    (_S.STA3, _E.EVT7): ("AE-7", _S.STA6),
    (_S.STA3, _E.EVT8): ("AE-8", _S.STA13),
    (_S.STA3, _E.EVT15): ("AA-1", _S.STA13),
    (_S.STA3, _E.EVT16): ("AA-3", _S.STA1),
    (_S.STA3, _E.EVT17): ("AA-4", _S.STA1),
    (_S.STA3, _E.EVT19): ("AA-8", _S.STA13),
    # Sta6: data transfer
    (_S.STA6, _E.EVT10): ("DT-2", _S.STA6),
    (_S.STA6, _E.EVT12): ("AR-2", _S.STA8),
    (_S.STA6, _E.EVT15): ("AA-1", _S.STA13),
    (_S.STA6, _E.EVT16): ("AA-3", _S.STA1),
    (_S.STA6, _E.EVT17): ("AA-4", _S.STA1),
    # The timer is ours (idle, stalled): the table has none here.
    (_S.STA6, _E.EVT18): ("AA-8", _S.STA13),
    **{(_S.STA6, e): ("AA-8", _S.STA13) for e in (*_UNEXPECTED, _E.EVT6, _E.EVT19)},
    # Sta8: the peer asked for release
    (_S.STA8, _E.EVT14): ("AR-4", _S.STA13),
    (_S.STA8, _E.EVT15): ("AA-1", _S.STA13),
    (_S.STA8, _E.EVT16): ("AA-3", _S.STA1),
    (_S.STA8, _E.EVT17): ("AA-4", _S.STA1),
    # Sta13: awaiting the close; what still comes is read and dropped by Wire.close
    (_S.STA13, _E.EVT17): ("AR-5", _S.STA1),
    (_S.STA13, _E.EVT18): ("AA-2", _S.STA1),
}


class UpperLayer:
    """The state of one association; `handle` does what the table says."""

    def __init__(self, wire: Wire) -> None:
        self.state = State.STA2
        self._wire = wire
        self._actions: dict[str, Callable[[bytes], None]] = {
            "AE-6": self._nothing,
            "AE-7": self._send,
            "AE-8": self._send,
            "DT-2": self._nothing,
            "AR-2": self._nothing,
            "AR-4": self._send,
            "AR-5": self._nothing,
            "AA-1": self._abort_as_user,
            "AA-2": self._close,
            "AA-3": self._close,
            "AA-4": self._close,
            "AA-5": self._nothing,
            "AA-8": self._abort_as_provider,
        }

    def handle(self, event: Event, pdu: bytes = b"", *, reason: int = NO_REASON) -> None:
        """Take the transition of `event`; `pdu` is what the action sends, if it does."""
        action, self.state = TRANSITIONS[self.state, event]
        if action == "AA-8":
            pdu = bytes((reason,))
        with suppress(PeerClosed, PeerStalled):
            self._actions[action](pdu)

    @property
    def is_established(self) -> bool:
        """Tell whether data may be exchanged."""
        return self.state is State.STA6

    def _nothing(self, _pdu: bytes) -> None:
        pass

    def _send(self, pdu: bytes) -> None:
        self._wire.send(pdu)

    def _close(self, _pdu: bytes) -> None:
        self._wire.drop()

    def _abort_as_user(self, _pdu: bytes) -> None:
        self._wire.send(encode.abort(SERVICE_USER, NO_REASON))

    def _abort_as_provider(self, reason: bytes) -> None:
        self._wire.send(encode.abort(SERVICE_PROVIDER, reason[0]))
