"""Admission: which appends of a group may be stored, and where each of their events goes.

Design A3 (group commit, expected versions, claims): a group is judged in order, under the head
lock, so that only the offender is refused. Pure; called by both recorders.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from kernel.ledger.ports import Claim, ClaimHeld, ClaimTaken, StreamMoved
from kernel.refusals import Refusal

Outcome = int | Refusal
"""The position of the last event of an append, or why it was refused."""


class PreparedEvent(NamedTuple):
    """An event made ready by its appender: all that does not depend on its place."""

    stream: UUID
    topic: str
    envelope: str
    body: str
    sealed_for: UUID | None
    sealed: bytes | None
    digest: bytes


class Part(NamedTuple):
    """How many events of an append go to one stream, and what version was expected there."""

    stream: UUID
    expected: int | None
    size: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """One append, ready to be stored: `events` holds those of `parts` in order."""

    parts: tuple[Part, ...]
    events: tuple[PreparedEvent, ...]
    claims: tuple[Claim, ...] = ()
    size_bytes: int = 0


@dataclass(slots=True)
class Admitted:
    """What of a group is stored: events with their versions, claims with their positions."""

    outcomes: list[Outcome] = field(default_factory=list)
    events: list[PreparedEvent] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    claims: list[tuple[Claim, int]] = field(default_factory=list)


def admit(
    group: Sequence[Prepared],
    head: int,
    versions: Mapping[UUID, int],
    held: Mapping[tuple[str, str], ClaimHeld],
) -> Admitted:
    """Judge the appends of a group one after the other, as if each were committed alone.

    `versions` and `held` are what the tables say of every stream and claim of the group.
    """
    now_versions = dict(versions)
    now_held = dict(held)
    result = Admitted()
    for prepared in group:
        last = head + len(result.events) + len(prepared.events)
        outcome = _judge(prepared, last, now_versions, now_held)
        if isinstance(outcome, Refusal):
            result.outcomes.append(outcome)
            continue
        reached, taken = outcome
        result.versions.extend(_number(prepared.parts, now_versions))
        now_versions.update(reached)
        now_held.update({(c.kind, c.key): ClaimHeld(c.fingerprint, last) for c in taken})
        result.events.extend(prepared.events)
        result.claims.extend((claim, last) for claim in taken)
        result.outcomes.append(last)
    return result


@dataclass(slots=True)
class Presumed:
    """A whole group as it would be stored if nobody has to be refused."""

    bases: dict[UUID, int | None] = field(default_factory=dict)
    """The version each stream must have now; None: any."""
    steps: list[int] = field(default_factory=list)
    """For each event, its version counted from the version its stream has now."""
    claims: list[tuple[Claim, int]] = field(default_factory=list)
    """Claims with the number, in the group, of the last event of their append."""


def presume(group: Sequence[Prepared]) -> Presumed | None:
    """Return what must hold for the whole group to be stored, None when that takes a look.

    Lets an engine that is far away store a group in one round trip: it checks the bases and
    the claims, and only when they do not hold are the appends judged one by one (`admit`).
    """
    result = Presumed()
    reached: dict[UUID, int] = {}
    taken: dict[tuple[str, str], Claim] = {}
    last = 0
    for prepared in group:
        last += len(prepared.events)
        for part in prepared.parts:
            before = reached.get(part.stream, 0)
            base = result.bases.setdefault(part.stream, part.expected)
            if part.expected is not None and (base is None or part.expected != base + before):
                return None
            result.steps.extend(range(before + 1, before + part.size + 1))
            reached[part.stream] = before + part.size
        for claim in prepared.claims:
            own = taken.setdefault((claim.kind, claim.key), claim)
            if own is claim:
                result.claims.append((claim, last))
            elif not (claim.shared and claim.fingerprint == own.fingerprint):
                return None
    return result


def streams_of(group: Iterable[Prepared]) -> list[UUID]:
    """Return every stream of a group once."""
    return list(dict.fromkeys(part.stream for prepared in group for part in prepared.parts))


def claims_of(group: Iterable[Prepared]) -> list[tuple[str, str]]:
    """Return every claimed (kind, key) of a group once."""
    return list(dict.fromkeys((c.kind, c.key) for prepared in group for c in prepared.claims))


def _judge(
    prepared: Prepared,
    last: int,
    versions: Mapping[UUID, int],
    held: Mapping[tuple[str, str], ClaimHeld],
) -> tuple[dict[UUID, int], list[Claim]] | Refusal:
    reached: dict[UUID, int] = {}
    for part in prepared.parts:
        version = reached.get(part.stream, versions.get(part.stream, 0))
        if part.expected is not None and part.expected != version:
            return StreamMoved(part.stream, part.expected)
        reached[part.stream] = version + part.size
    taken: dict[tuple[str, str], Claim] = {}
    for claim in prepared.claims:
        name = (claim.kind, claim.key)
        own = taken.get(name)
        holder = held.get(name) if own is None else ClaimHeld(own.fingerprint, last)
        if holder is None:
            taken[name] = claim
        elif not (claim.shared and claim.fingerprint == holder.fingerprint):
            return ClaimTaken(claim, holder)
    return reached, list(taken.values())


def _number(parts: Iterable[Part], versions: Mapping[UUID, int]) -> list[int]:
    reached: dict[UUID, int] = {}
    numbers: list[int] = []
    for part in parts:
        version = reached.get(part.stream, versions.get(part.stream, 0))
        numbers.extend(range(version + 1, version + part.size + 1))
        reached[part.stream] = version + part.size
    return numbers
