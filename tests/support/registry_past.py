"""The registry's past as a test tells it, and the pure decision on top of it.

ITI TF-2 3.42.4.1.3, given/when/then. Called by tests/registry/documents.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from kernel.context import Envelope
from kernel.events import Fact, Recorded
from kernel.ledger.ports import Append, ClaimHeld
from registry.documents import commands
from registry.documents.commands import Known, Registration, RegistryObject, Rules
from registry.documents.events import DocumentDeprecated
from registry.documents.values import Submission
from tests.support.submissions import OTHER_PATIENT, PATIENT

KEYS = {PATIENT: uuid4(), OTHER_PATIENT: uuid4()}
MOMENT = datetime(2026, 5, 3, 10, 12, tzinfo=UTC)


class Registry:
    """The past: streams and claims that earlier appends made."""

    def __init__(self, *, patient_known: bool = True) -> None:
        self.objects: dict[UUID, RegistryObject] = {}
        self.claims: dict[str, ClaimHeld] = {}
        self.patient_known = patient_known
        self.position = 0

    def holds(self, asked: Submission) -> Registry:
        self.take(self.when(asked))
        return self

    def when(self, asked: Submission, rules: Rules | None = None) -> Append:
        key = KEYS[asked.submission_set.patient_id]
        known = Known(self.patient_known, self.objects, self.claims)
        return commands.register(Registration(asked, key, MOMENT), known, rules or Rules())

    def take(self, batch: Append) -> None:
        for stream in batch.streams:
            state = self.objects.get(stream.stream, commands.initial(stream.stream))
            assert stream.expected_version in {None, state.version}
            for fact in stream.facts:
                self.position += 1
                state = commands.evolve(
                    state,
                    Recorded(
                        stream=stream.stream, version=state.version + 1, position=self.position,
                        at=MOMENT, topic=fact.TOPIC, fact=fact, envelope=Envelope(),
                    ),
                )  # fmt: skip
            self.objects[stream.stream] = state
        for claim in batch.claims:
            if claim.kind == commands.UNIQUE_ID_CLAIM:
                self.claims.setdefault(claim.key, ClaimHeld(claim.fingerprint, self.position))


def facts(batch: Append, kind: type[Fact]) -> list[Any]:
    return [f for s in batch.streams for f in s.facts if isinstance(f, kind)]


def deprecated(batch: Append) -> set[UUID]:
    return {f.entry_uuid for f in facts(batch, DocumentDeprecated)}
