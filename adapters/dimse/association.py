"""One association from the connection to its end: negotiate, serve messages, release.

PS3.8 7 (association services), PS3.7 D (negotiation), 8 and 9 (DIMSE-C services, acceptor).
Run in a thread of its own by `endpoint.py`; the services are `c_*.py`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from adapters.dimse import decode, encode, faults
from adapters.dimse.contexts import Context, Operation, negotiate, permits
from adapters.dimse.decode import (
    APPLICATION_CONTEXT,
    AssociateRequest,
    Command,
    InvalidPdu,
    UserInformation,
)
from adapters.dimse.extended import Options, agree, options_of
from adapters.dimse.limits import Limits
from adapters.dimse.messages import Interrupted, Messages
from adapters.dimse.places import Places
from adapters.dimse.ports import Guard
from adapters.dimse.upper_layer import (
    INVALID_PARAMETER,
    PDU_EVENTS,
    UNEXPECTED_PDU,
    UNRECOGNISED_PDU,
    Event,
    State,
    UpperLayer,
)
from adapters.dimse.wire import PeerClosed, PeerStalled, Wire
from kernel.context import Envelope
from kernel.refusals import Forbidden, Refusal, Unauthenticated, Unavailable
from registry.access.values import NO_LIMITS, Resource, Subject
from repository.instances.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION

log = logging.getLogger("pianku.dimse")
_MAX_ASSOCIATE: Final = 1 << 17
_LOOK_UP_SECONDS: Final = 0.5
_CANCEL: Final = 0x0FFF
_GRANT_SECONDS: Final = 0.25
"""What is granted may change under an open association: seen within a second, with the guard's."""

Scp = Callable[["Association", Context, Command], None]
"""Serves one request and sends its responses; a data set is still on the wire."""
Services = Mapping[tuple[int, Operation], Scp]
"""By Command Field, and what the presentation context is for."""


@dataclass(slots=True)
class Counts:
    """What an association did, for its access events."""

    stored: int = 0
    refused: int = 0
    echoed: int = 0
    studies: dict[str, None] = field(default_factory=dict)


class Association:
    """An association we accepted, or are about to."""

    def __init__(
        self,
        wire: Wire,
        address: str,
        *,
        ae_title: str,
        guard: Guard,
        limits: Limits,
        services: Services,
        stopping: threading.Event,
        places: Places,
        fingerprint: str | None = None,
    ) -> None:
        """Serve a peer at `address`; `fingerprint` as `ports.Guard.ae_subject` takes it."""
        self.wire = wire
        self.limits = limits
        self.guard = guard
        self.ae_title = ae_title
        self.counts = Counts()
        self.contexts: Mapping[int, Context] = {}
        self.options: Mapping[str, Options] = {}
        """What was agreed on beyond each SOP class."""
        self.messages = Messages(wire, limits, peer_max_pdu=0)
        self.calling_ae = ""
        self.gives_originals = False
        """The peer called the AE title that hands out stored headers (decision 0024)."""
        self.subject = Subject("", "ae")
        self.envelope = Envelope()
        self.is_reporting = False
        """A request of ours (N-EVENT-REPORT) is under way on this association."""
        self._address = address
        self._fingerprint = fingerprint
        self._places = places
        self._has_place = False
        self._held = NO_LIMITS
        self._is_let_in = True
        self._looked = 0.0
        self._stage = bytearray()
        self._cancelled: set[int] = set()
        self._services = services
        self._stopping = stopping
        self._upper = UpperLayer(wire)
        self._rights: dict[str, Forbidden | None] = {}

    def run(self) -> None:
        """Serve until the association ends; never raises for what the peer does."""
        try:
            self._establish()
            while self._upper.is_established:
                self._serve_one()
        except Interrupted as interruption:
            self._interrupted(interruption)
        except PeerClosed:
            self._upper.handle(Event.EVT17)
        except PeerStalled as stalled:
            log.info("association timed out", extra={"ae": self.calling_ae, "why": str(stalled)})
            self._upper.handle(Event.EVT18)
        except Exception:
            # A mistake of ours ends this association, in the protocol's words, and no other.
            log.exception("association failed", extra={"ae": self.calling_ae})
            if self._upper.state in {State.STA3, State.STA6}:
                self._upper.handle(Event.EVT15)
        finally:
            if self._upper.state is State.STA13:
                self.wire.close(is_stopping=self._stopping.is_set)
            self.wire.drop()
            if self._has_place:
                self._places.give_back(self.calling_ae)
            self._record()

    def may(self, action: str, transaction: str) -> None:
        """Raise Forbidden unless the caller may do `action`; decided once for each grant."""
        if action not in self._rights:
            try:
                self.guard.check(self.subject, action, Resource("study"), transaction=transaction)
            except Forbidden as refusal:
                self._rights[action] = refusal
            else:
                self._rights[action] = None
        held = self._rights[action]
        if held is not None:
            raise held

    def respond(
        self,
        context: Context,
        command: Command,
        status: int,
        *,
        comment: str = "",
        more: Mapping[int, bytes] | None = None,
    ) -> None:
        """Send the final response to a request, without a data set (PS3.7 9.3)."""
        elements = {**response_elements(command, status, comment=comment), **(more or {})}
        self.messages.send(context.id, encode.command(elements))

    def is_cancelled(self, command: Command) -> bool:
        """Tell whether the peer sent a C-CANCEL for a request; reads what he sent."""
        while self.wire.wait(0):
            self.wire.begin_message()
            _, other = self.messages.read_command()
            if decode.number(other, 0x0100) != _CANCEL:
                # Only one operation at a time was negotiated (PS3.7 D.3.3.3).
                raise Interrupted(Event.EVT19, UNEXPECTED_PDU)
            self.cancel(other)
        return decode.number(command, 0x0110) in self._cancelled

    def cancel(self, cancel_request: Command) -> None:
        """Take a C-CANCEL-RQ (PS3.7 9.3.2.3)."""
        self._cancelled.add(decode.number(cancel_request, 0x0120))

    def stage(self, size: int) -> bytearray:
        """Return memory for data sets on their way in, made when first needed."""
        if len(self._stage) < size:
            self._stage = bytearray(size)
        return self._stage

    # -- the beginning -----------------------------------------------------------------------

    def _establish(self) -> None:
        self.wire.expect_within(self.limits.artim_seconds)
        kind, _, length = decode.pdu_head(bytes(self.wire.take(6)))
        event = PDU_EVENTS.get(kind)
        if event is None or length > _MAX_ASSOCIATE:
            raise Interrupted(Event.EVT19, UNRECOGNISED_PDU)
        body = bytes(self.wire.take(length))
        if event is not Event.EVT6:
            raise Interrupted(event)
        try:
            request = decode.associate_request(body)
        except InvalidPdu:
            raise Interrupted(Event.EVT19, INVALID_PARAMETER) from None
        self._upper.handle(Event.EVT6)
        rejection = self._rejection(request)
        if rejection is not None:
            log.info("association rejected", extra={"ae": self.calling_ae, "why": rejection})
            self._upper.handle(Event.EVT8, encode.associate_reject(*rejection))
            return
        self._accept(request)

    def _rejection(self, request: AssociateRequest) -> tuple[int, int, int] | None:
        self.calling_ae = request.calling_ae
        if not request.protocol_version & 1:
            return faults.NO_SUCH_PROTOCOL_VERSION
        if request.application_context != APPLICATION_CONTEXT:
            return faults.NO_SUCH_APPLICATION_CONTEXT
        if request.called_ae != self.ae_title:
            self.gives_originals = request.called_ae == (self.limits.original_ae_title or None)
            if not self.gives_originals:
                return faults.CALLED_AE_UNKNOWN
        try:
            self.subject = self.guard.ae_subject(
                request.calling_ae, self._address, self._fingerprint
            )
            self._held = self.guard.ae_limits(request.calling_ae)
        except Refusal as refusal:
            return faults.rejection(refusal)
        self._looked = time.monotonic()
        self._has_place = self._places.take(request.calling_ae, self._held.max_associations)
        return None if self._has_place else faults.LOCAL_LIMIT_EXCEEDED

    def _accept(self, request: AssociateRequest) -> None:
        agreed = negotiate(request, self.limits, self._held)
        self.contexts = agreed.contexts
        self.envelope = self.guard.envelope(self.subject, "dimse", source=request.calling_ae)
        self.messages = Messages(self.wire, self.limits, peer_max_pdu=request.user.max_pdu)
        extended = agree(request.user.extended, agreed.contexts.values())
        self.options = options_of(extended)
        user = UserInformation(
            self.limits.max_pdu,
            IMPLEMENTATION_CLASS_UID,
            IMPLEMENTATION_VERSION,
            agreed.roles,
            extended,
        )
        self._upper.handle(Event.EVT7, encode.associate_accept(request, agreed.results, user))

    # -- the middle --------------------------------------------------------------------------

    def _serve_one(self) -> None:
        if not self._await_message():
            return
        self.wire.begin_message()
        self.serve(*self.messages.read_command())

    def serve(self, context_id: int, command: Command) -> None:
        """Serve one request, whose data set is still on the wire."""
        context = self.contexts.get(context_id)
        if context is None:
            raise Interrupted(Event.EVT19, INVALID_PARAMETER)
        field_ = decode.number(command, 0x0100)
        if field_ == _CANCEL:
            return  # what it cancels is answered already
        service = self._services.get((field_, context.service))
        if service is None:
            if decode.has_dataset(command):
                self.messages.drop_dataset(context_id)
            self.respond(context, command, faults.UNRECOGNISED_OPERATION)
            return
        self._cancelled.clear()
        if not self._is_granted(context):
            if decode.has_dataset(command):
                self.messages.drop_dataset(context_id)
            self.respond(context, command, faults.NOT_AUTHORISED, comment="not granted")
            return
        service(self, context, command)

    def _is_granted(self, context: Context) -> bool:
        """Tell whether the caller may use a service, by what is granted now."""
        if time.monotonic() - self._looked >= _GRANT_SECONDS:
            self._look_again()
        if not self._is_let_in:
            return False  # which the guard has recorded
        is_store = context.service is Operation.STORE
        if permits(self._held, context.service, context.abstract_syntax) and (
            not is_store or context.peer_is_scu
        ):
            return True
        try:
            self.guard.record(
                self.subject, "associate", "denied", str(context.service), detail="ae_limits"
            )
        except Refusal as refusal:
            log.warning("access not recorded", extra={"code": refusal.code})
        return False

    def _look_again(self) -> None:
        self._looked = time.monotonic()
        try:
            subject = self.guard.ae_subject(self.calling_ae, self._address, self._fingerprint)
            self._held = self.guard.ae_limits(self.calling_ae)
        except Unavailable:
            return  # he stays what he was: what he does is recorded all the same, or refused
        except Unauthenticated:
            self._is_let_in = False
            return
        self._is_let_in = True
        if subject != self.subject:
            self.subject = subject
            self._rights.clear()

    def _await_message(self) -> bool:
        """Wait for the peer; tells whether there is something to read."""
        until = time.monotonic() + self.limits.idle_seconds
        while not self.wire.wait(_LOOK_UP_SECONDS):
            if self._stopping.is_set():
                self._upper.handle(Event.EVT15)
                return False
            if time.monotonic() > until:
                raise PeerStalled("the association is idle")
        if self._stopping.is_set():
            self._upper.handle(Event.EVT15)
            return False
        return True

    # -- the end -----------------------------------------------------------------------------

    def _interrupted(self, interruption: Interrupted) -> None:
        event = interruption.event
        self._upper.handle(event, reason=interruption.reason)
        if self._upper.state is State.STA8:
            self._upper.handle(Event.EVT14, encode.RELEASE_RP)

    def _record(self) -> None:
        """Record what was done: one access event an association for each kind of work."""
        done = self.counts
        events = (
            ("store", "success", "C-STORE", done.stored, tuple(done.studies)),
            ("store", "failed", "C-STORE", done.refused, ()),
            ("echo", "success", "C-ECHO", done.echoed, ()),
        )
        for action, outcome, transaction, count, studies in events:
            if not count:
                continue
            try:
                self.guard.record(
                    self.subject, action, outcome, transaction, count=count, study_uids=studies
                )
            except Refusal as refusal:
                # The facts of what was stored carry the same caller; nothing is answered now.
                log.warning("access not recorded", extra={"code": refusal.code, "count": count})


def response_elements(
    command: Command, status: int, *, comment: str = "", numbers: Mapping[str, int] | None = None
) -> dict[int, int | str]:
    """Return the elements of the response to `command`; the data set is said to be absent."""
    elements: dict[int, int | str] = {
        0x0100: 0x8000 | decode.number(command, 0x0100),
        0x0120: decode.number(command, 0x0110, 0),
        0x0800: encode.NO_DATASET,
        0x0900: status,
    }
    for element in (0x0002, 0x1000):
        if value := decode.text(command, element):
            elements[element] = value[:64]
    if comment:
        elements[0x0902] = comment
    for name, count in (numbers or {}).items():
        elements[_SUBOPERATIONS[name]] = count
    return elements


_SUBOPERATIONS: Final = {
    "remaining": 0x1020,
    "completed": 0x1021,
    "failed": 0x1022,
    "warning": 0x1023,
}
