"""ITI-30 Link/Unlink: two identifiers denote one person, or do not (ADT^A24, ADT^A37).

Implements ITI TF-2 3.30.4.6 (option Link/Unlink; HL7 v2.5 3.3.24, 3.3.37), the explicit
cross-references of a PIX Manager. Called through `routes.py`.
"""

from __future__ import annotations

from adapters.hl7v2.decode import Message
from adapters.hl7v2.identifiers import person_identifiers
from adapters.hl7v2.iti8_patient_identity_feed import Feed, FeedPolicy
from adapters.hl7v2.refusals import RequiredFieldMissing
from adapters.hl7v2.result import Result


class PatientLink:
    """Answers A24; with `apart`, A37."""

    def __init__(self, feed: Feed, policy: FeedPolicy, *, apart: bool = False) -> None:
        self._feed = feed
        self._policy = policy
        self._apart = apart

    def __call__(self, message: Message) -> Result:
        """Link or unlink the first identifiers of the two PID segments."""
        patients = [segment for segment in message.segments if segment.name == "PID"]
        if len(patients) < 2:
            raise RequiredFieldMissing("the second PID segment is missing", at="PID^2")
        first, other = (person_identifiers(p, 3, self._policy.domains)[0] for p in patients[:2])
        act = self._feed.unlink if self._apart else self._feed.link
        keys = act(first, other)
        return Result(patient_keys=keys, detail="A37" if self._apart else "A24")
