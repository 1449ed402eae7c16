"""Which identifiers denote one person: groups that are joined, left and taken apart.

Implements the cross-reference rules behind ITI TF-2 3.8.4.1.3, 3.8.4.2.3 and 3.9 (decision 0013):
identifiers that one message names are one person's; a person has one identifier of the affinity
domain. Pure; called by `commands.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from kernel.events import Fact
from kernel.ledger.ports import StreamAppend
from registry.patients.events import IdentifierLinked, IdentifierUnlinked, PersonComposed
from registry.patients.values import Member


@dataclass(frozen=True, slots=True)
class Person:
    """A person as his stream tells it."""

    members: tuple[Member, ...]
    version: int


@dataclass(slots=True)
class CrossReferences:
    """Groups of identifiers being rearranged; `facts` and `streams` tell what changed."""

    affinity: str
    """OID of the affinity domain."""
    persons: Mapping[UUID, Person]
    """Every person that an identifier at hand denotes, as the ledger holds him."""
    origin: str
    _groups: dict[UUID, dict[UUID, Member]] = field(default_factory=dict)
    _before: dict[UUID, UUID] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with the groups as they are."""
        for person, held in self.persons.items():
            self._groups[person] = {m.patient_key: m for m in held.members}
            self._before.update(dict.fromkeys(self._groups[person], person))

    def join(self, first: Member, other: Member) -> None:
        """Make `other` denote whom `first` denotes.

        Whoever is cross-referenced to `other` comes along, unless the person would then have
        two identifiers of the affinity domain: then `other` moves alone.
        """
        person = self._of(first) or self._of(other)
        if person is None or not self._may_hold(person, first):
            person = uuid4()
            self._groups[person] = {}
        self._move(first, person)
        if other.patient_key in self._groups[person]:
            return
        theirs = self._of(other)
        if not self._may_hold(person, other):
            # It is the first whom the message takes from where it was, alone.
            person = theirs or uuid4()
            self._groups.setdefault(person, {})
            self._move(first, person)
            self._move(other, person)
            return
        company = [other] if theirs is None else list(self._groups[theirs].values())
        if not self._may_hold(person, *company):
            company = [other]
        for member in company:
            self._move(member, person)

    def leave(self, member: Member) -> tuple[Member, ...]:
        """Make an identifier stand alone; returns who stays behind."""
        person = self._of(member)
        if person is None:
            return ()
        del self._groups[person][member.patient_key]
        return tuple(self._groups[person].values())

    def may_join(self, first: Member, other: Member) -> bool:
        """Tell whether two identifiers may denote one person."""
        both = {self.affinity} == {first.authority, other.authority}
        return first.patient_key == other.patient_key or not both

    def facts(self) -> dict[UUID, tuple[Fact, ...]]:
        """Return what is to be told in the identifiers' streams, by patient key."""
        now = {key: person for person, group in self._settled().items() for key in group}
        found: dict[UUID, tuple[Fact, ...]] = {}
        for key, person in now.items():
            if self._before.get(key) != person:
                found[key] = (IdentifierLinked(patient_key=key, person=person, origin=self.origin),)
        for key, person in self._before.items():
            if key not in now:
                found[key] = (
                    IdentifierUnlinked(patient_key=key, person=person, origin=self.origin),
                )
        return found

    def streams(self) -> Iterable[StreamAppend]:
        """Yield what is to be told in the persons' streams."""
        for person, group in self._settled().items():
            held = self.persons.get(person)
            if held is None and not group:
                continue
            members = tuple(group.values())
            if held is None or set(held.members) != set(members):
                fact = PersonComposed(person=person, members=members)
                yield StreamAppend(person, (fact,), 0 if held is None else held.version)

    def _settled(self) -> dict[UUID, dict[UUID, Member]]:
        """A group of one is no group: its identifier stands alone."""
        return {p: g if len(g) > 1 else {} for p, g in self._groups.items()}

    def _of(self, member: Member) -> UUID | None:
        for person, group in self._groups.items():
            if member.patient_key in group:
                return person
        return None

    def _may_hold(self, person: UUID, *members: Member) -> bool:
        group = self._groups[person] | {m.patient_key: m for m in members}
        return sum(m.authority == self.affinity for m in group.values()) <= 1

    def _move(self, member: Member, person: UUID) -> None:
        before = self._of(member)
        if before is not None and before != person:
            del self._groups[before][member.patient_key]
        self._groups[person][member.patient_key] = member
