"""ITI-10 PIX Update Notification: ADT^A31 with the identifiers of one person.

Implements ITI TF-2 3.10.4.1.2 (HL7 v2.5; nothing of the person but PID-3). Given by
`server.background` to `workflows.notify_cross_references` as what sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from adapters.hl7v2.client import PeerAway, send
from adapters.hl7v2.decode import Delimiters
from adapters.hl7v2.encode import escaped
from adapters.hl7v2.identifiers import encode_identifiers
from adapters.hl7v2.refusals import MessageRefused
from kernel.identifiers import secret_token
from kernel.times import Clock, now
from registry.patients.values import IdentityDomains
from workflows.notify_cross_references import ConsumerAway, ConsumerRefused, PixConsumer

_ACCEPTED: Final = frozenset({"AA", "CA"})
_REFUSED: Final = frozenset({"AE", "CE"})
NAMELESS: Final = "~^^^^^^S"
"""PID-5 where no name is given: HL7 requires the field, the framework no name in it."""


class PixUpdateNotification:
    """Sends notifications to consumers."""

    def __init__(
        self,
        domains: IdentityDomains,
        *,
        application: str = "PIANKU",
        facility: str = "",
        seconds: float = 30.0,
        clock: Clock = now,
    ) -> None:
        self._domains = domains
        self._application = application
        self._facility = facility
        self._seconds = seconds
        self._clock = clock

    def __call__(self, consumer: PixConsumer, patient_ids: Sequence[str]) -> None:
        """Send one; raises ConsumerRefused and ConsumerAway."""
        control_id = secret_token()[:20]
        message = self.encode(consumer.name, patient_ids, control_id)
        try:
            answer = send((consumer.host, consumer.port), message, seconds=self._seconds)
        except (PeerAway, MessageRefused) as problem:
            raise ConsumerAway from problem
        segment = answer.first("MSA")
        word = "" if segment is None else segment.value(1).text()
        if word in _REFUSED:
            raise ConsumerRefused
        if segment is None or word not in _ACCEPTED or segment.value(2).text() != control_id:
            raise ConsumerAway("the answer is no acknowledgment of the message")

    def encode(self, consumer: str, patient_ids: Sequence[str], control_id: str) -> bytes:
        """Return ADT^A31."""
        marks = Delimiters()
        stamp = self._clock().strftime("%Y%m%d%H%M%S")
        sender = escaped(self._application, marks), escaped(self._facility, marks)
        lines = (
            "|".join(
                (
                    "MSH", marks.encoding_characters, *sender, escaped(consumer, marks), "", stamp,
                    "", "ADT^A31^ADT_A05", control_id, "P", "2.5", "", "", "", "", "",
                    "UNICODE UTF-8",
                )
            ),
            f"EVN||{stamp}",
            f"PID|||{encode_identifiers(patient_ids, self._domains, marks)}||{NAMELESS}",
            "PV1||N",
        )  # fmt: skip
        return ("\r".join(lines) + "\r").encode()
