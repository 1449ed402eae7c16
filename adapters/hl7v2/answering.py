"""Answers one message: the guard, the header's checks, the transaction, the record, the octets.

Implements HL7 v2.5 2.9.2.2 (original mode); AA goes out only after what was done is durable and
recorded. Called by `endpoint.py` in a worker thread.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from adapters.guard.guard import Guard
from adapters.hl7v2.decode import Message, Segment, decode, decode_header
from adapters.hl7v2.encode import encode_ack, encode_reply
from adapters.hl7v2.faults import BUG, acknowledgment
from adapters.hl7v2.framing import Oversize
from adapters.hl7v2.iti8_patient_identity_feed import FeedPolicy
from adapters.hl7v2.refusals import MessageTooLarge, UnreadableMessage
from adapters.hl7v2.result import Result, Route
from adapters.hl7v2.routes import Routes, check_header, named, shaped
from kernel.context import acting_as
from kernel.identifiers import secret_token
from kernel.refusals import Refusal
from kernel.times import Clock
from registry.access.values import Resource, Subject

log = logging.getLogger("pianku.hl7v2")


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a connection."""

    address: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Answering:
    """Answers messages; thread safe."""

    routes: Routes
    guard: Guard
    policy: FeedPolicy
    clock: Clock

    def answer(self, data: bytes, peer: Peer) -> bytes:
        """Return the answer to a message, whatever it holds."""
        header: Segment | None = None
        try:
            header = decode_header(data)
            sender = header.value(3).text()
            subject = self.guard.mllp_subject(sender, peer.address, peer.fingerprint)
            route = named(self.routes, header.value(9).text(1), header.value(9).text(2))
            self.guard.check(
                subject, route.action, Resource("patient"), transaction=route.transaction
            )
            header, result = self._take(data, subject, route, header)
        except UnreadableMessage as refusal:
            result = Result((acknowledgment(refusal),))
        except Refusal as refusal:
            log.info("message refused", extra={"code": refusal.code})
            result = Result((acknowledgment(refusal),))
        except Exception as problem:
            # The text of an exception may quote the message: only its kind is told.
            log.error("message failed", extra={"problem": type(problem).__name__})  # noqa: TRY400
            log.debug("message failed by", exc_info=problem)
            result = Result((BUG,))
        stamp = (self.clock(), secret_token()[:20])
        if header is None or not result.kind:
            return encode_ack(header, result.answers[0], *stamp)
        return encode_reply(header, result.kind, result.answers, result.segments, stamp)

    def _take(
        self, data: bytes, subject: Subject, route: Route, header: Segment
    ) -> tuple[Segment, Result]:
        """Return the header as decoded and the result; records the access."""
        source = header.value(3).text()[:64]
        with acting_as(self.guard.envelope(subject, "mllp", source=source)):
            message: Message | None = None
            try:
                if isinstance(data, Oversize):
                    raise MessageTooLarge
                message = decode(data, self.policy.default_charset)
                check_header(message, self.routes, self.policy.receiving_application)
                result = route.handle(message)
            except Refusal as refusal:
                self._record(subject, route, Result(detail=refusal.code, outcome="failed"))
                if message is None:
                    raise
                log.info("message refused", extra={"code": refusal.code})
                return message.header, shaped(route, message, acknowledgment(refusal))
            self._record(subject, route, result)
            return message.header, result

    def _record(self, subject: Subject, route: Route, result: Result) -> None:
        self.guard.record(
            subject,
            route.action,
            result.outcome,
            route.transaction,
            patient_keys=result.patient_keys,
            count=len(result.patient_keys),
            detail=result.detail,
        )
