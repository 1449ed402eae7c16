"""Merging and linking identifiers: given their streams, when a message tells, then these facts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from kernel.context import Envelope
from kernel.events import Fact, Recorded
from kernel.identifiers import PatientId
from kernel.ledger.ports import Append
from registry.patients import commands
from registry.patients.commands import Identity, Person
from registry.patients.events import (
    IdentifierUnlinked,
    PatientAbsorbed,
    PatientIdentified,
    PatientMerged,
    PatientShredded,
)
from registry.patients.refusals import (
    IdentifierSubsumed,
    IdentifierUnknown,
    LinkRefused,
    MergeRefused,
    PatientErased,
)
from registry.patients.values import Told

AFFINITY, LOCAL, LAB = "1.2.3", "1.2.4", "1.2.5"


class World:
    """The streams of patients and persons, filled by the appends of commands."""

    def __init__(self) -> None:
        self.streams: dict[UUID, list[Recorded]] = {}
        self.keys: dict[PatientId, UUID] = {}

    def record(self, batch: Append | None) -> list[Fact]:
        """Append as a ledger does, expected versions and all; returns the facts."""
        if batch is None:
            return []
        for one in batch.streams:
            held = self.streams.setdefault(one.stream, [])
            assert one.expected_version in (None, len(held))
            for fact in one.facts:
                held.append(
                    Recorded(
                        stream=one.stream, version=len(held) + 1, position=1,
                        at=datetime.now(UTC), topic=fact.TOPIC, fact=fact, envelope=Envelope(),
                    )
                )  # fmt: skip
        return [fact for one in batch.streams for fact in one.facts]

    def identity(self, text: str, authority: str = AFFINITY) -> Identity:
        patient_id = PatientId(text, authority)
        key = self.keys.setdefault(patient_id, uuid4())
        state = commands.NOT_KNOWN
        for recorded in self.streams.get(key, []):
            state = commands.apply_patient(state, recorded)
        return Identity(patient_id, key, state, len(self.streams.get(key, [])))

    def persons(self) -> dict[UUID, Person]:
        found = {}
        for stream, events in self.streams.items():
            state = commands.NOBODY
            for recorded in events:
                state = commands.apply_person(state, recorded)
            if stream not in self.keys.values():
                found[stream] = Person(state.members, len(events))
        return found

    def feed(self, *identities: Identity, **told: Any) -> list[Fact]:
        told = told or {"name": "Li^Si"}
        return self.record(
            commands.receive_feed(identities, self.persons(), Told(**told), affinity=AFFINITY)
        )

    def merge(self, subsumed: Identity, survivor: Identity, **told: Any) -> list[Fact]:
        return self.record(
            commands.merge(subsumed, survivor, self.persons(), Told(**told), affinity=AFFINITY)
        )

    def groups(self) -> set[frozenset[str]]:
        """Return who is cross-referenced to whom, as the identifiers' own streams tell it."""
        by_person: dict[object, set[str]] = {}
        for patient_id in self.keys:
            one = self.identity(patient_id.id, patient_id.authority)
            if one.state.known and one.state.merged_into is None:
                by_person.setdefault(one.state.person or one.key, set()).add(patient_id.id)
        told = {
            frozenset(self.name(m.patient_key) for m in p.members)
            for p in self.persons().values()
            if p.members
        }
        groups = {frozenset(g) for g in by_person.values()}
        assert told == {g for g in groups if len(g) > 1}
        return groups

    def name(self, key: UUID) -> str:
        return next(patient_id.id for patient_id, k in self.keys.items() if k == key)


@pytest.fixture
def world() -> World:
    return World()


def kinds(facts: list[Fact]) -> list[str]:
    return sorted(type(fact).__name__ for fact in facts)


def test_one_message_links_its_identifiers(world: World) -> None:
    facts = world.feed(world.identity("A"), world.identity("L", LOCAL))
    assert kinds(facts) == [
        "IdentifierLinked", "IdentifierLinked", "PatientIdentified", "PatientIdentified",
        "PersonComposed",
    ]  # fmt: skip
    assert {f.origin for f in facts if isinstance(f, PatientIdentified)} == {"feed", "local"}
    assert world.groups() == {frozenset("AL")}
    assert world.feed(world.identity("A"), world.identity("L", LOCAL)) == []


def test_groups_are_joined_by_a_message_that_names_one_of_each(world: World) -> None:
    world.feed(world.identity("Y", LAB), world.identity("L", LOCAL))
    world.feed(world.identity("A"), world.identity("L", LOCAL))
    assert world.groups() == {frozenset("AYL")}


def test_a_local_identifier_moves_alone_to_another_of_the_affinity_domain(world: World) -> None:
    world.feed(world.identity("A"), world.identity("L", LOCAL), world.identity("Y", LAB))
    world.feed(world.identity("B"))
    world.feed(world.identity("B"), world.identity("L", LOCAL))
    assert world.groups() == {frozenset("AY"), frozenset("BL")}


def test_a_group_that_is_left_by_all_but_one_is_none(world: World) -> None:
    world.feed(world.identity("A"), world.identity("L", LOCAL))
    facts = world.feed(world.identity("B"), world.identity("L", LOCAL))
    assert "IdentifierUnlinked" in kinds(facts)
    assert world.identity("A").state.person is None
    assert world.groups() == {frozenset("A"), frozenset("BL")}


def test_link_and_unlink(world: World) -> None:
    for one in (world.identity("A"), world.identity("L", LOCAL)):
        world.feed(one)
    act = (world.identity("A"), world.identity("L", LOCAL))
    world.record(commands.link(*act, world.persons(), affinity=AFFINITY))
    assert world.groups() == {frozenset("AL")}
    act = (world.identity("A"), world.identity("L", LOCAL))
    facts = world.record(commands.unlink(*act, world.persons(), affinity=AFFINITY))
    assert sum(isinstance(f, IdentifierUnlinked) for f in facts) == 2
    assert world.groups() == {frozenset("A"), frozenset("L")}
    act = (world.identity("A"), world.identity("L", LOCAL))
    assert commands.unlink(*act, world.persons(), affinity=AFFINITY) is None


def test_two_of_the_affinity_domain_are_merged_and_not_linked(world: World) -> None:
    world.feed(world.identity("A"))
    world.feed(world.identity("B"))
    with pytest.raises(LinkRefused):
        commands.link(world.identity("A"), world.identity("B"), {}, affinity=AFFINITY)
    with pytest.raises(IdentifierUnknown):
        commands.link(world.identity("A"), world.identity("X", LOCAL), {}, affinity=AFFINITY)


def test_a_merge_takes_the_cross_references_along(world: World) -> None:
    world.feed(world.identity("A"), world.identity("L", LOCAL))
    world.feed(world.identity("B"), world.identity("Y", LAB))
    facts = world.merge(world.identity("A"), world.identity("B"))
    absorbed = next(f for f in facts if isinstance(f, PatientAbsorbed))
    assert (absorbed.patient_key, absorbed.subsumed) == (
        world.identity("B").key,
        world.identity("A").key,
    )
    assert absorbed.patient_id == "B^^^&1.2.3&ISO"
    assert world.groups() == {frozenset("BLY")}
    assert world.merge(world.identity("A"), world.identity("B")) == []


def test_a_merge_makes_an_unknown_survivor_known(world: World) -> None:
    world.feed(world.identity("A"), name="Li^Si")
    facts = world.merge(world.identity("A"), world.identity("B"), name="Li^San")
    known = next(f for f in facts if isinstance(f, PatientIdentified))
    assert known.demographics is not None
    assert (known.patient_id, known.origin, known.demographics.name) == (
        "B^^^&1.2.3&ISO", "feed", "Li^San",
    )  # fmt: skip


def test_merges_form_a_chain_and_no_circle(world: World) -> None:
    for name in "ABC":
        world.feed(world.identity(name))
    world.merge(world.identity("A"), world.identity("B"))
    world.merge(world.identity("B"), world.identity("C"))
    assert world.identity("A").state.merged_into == world.identity("B").key
    for subsumed, survivor in (("C", "A"), ("B", "A"), ("A", "C")):
        with pytest.raises(IdentifierSubsumed):
            world.merge(world.identity(subsumed), world.identity(survivor))


def test_what_cannot_be_merged(world: World) -> None:
    world.feed(world.identity("A"))
    world.feed(world.identity("L", LOCAL))
    with pytest.raises(MergeRefused):
        world.merge(world.identity("A"), world.identity("A"))
    with pytest.raises(MergeRefused):
        world.merge(world.identity("L", LOCAL), world.identity("A"))
    with pytest.raises(IdentifierUnknown):
        world.merge(world.identity("Z"), world.identity("A"))
    shredded = PatientShredded(patient_key=world.identity("A").key, reason="request")
    world.streams[world.identity("A").key].append(
        Recorded(
            stream=uuid4(), version=2, position=9, at=datetime.now(UTC), topic=shredded.TOPIC,
            fact=shredded, envelope=Envelope(),
        )
    )  # fmt: skip
    with pytest.raises(PatientErased):
        world.merge(world.identity("A"), world.identity("B"))


def test_a_subsumed_identifier_takes_no_feed_and_is_passed_over_beside_others(world: World) -> None:
    world.feed(world.identity("L", LOCAL))
    world.feed(world.identity("M", LOCAL))
    world.merge(world.identity("L", LOCAL), world.identity("M", LOCAL))
    with pytest.raises(IdentifierSubsumed):
        world.feed(world.identity("L", LOCAL))
    world.feed(world.identity("A"), world.identity("L", LOCAL))
    assert world.groups() == {frozenset("A"), frozenset("M")}


def test_a_local_identity_an_image_names_is_known_to_xds(world: World) -> None:
    one = world.identity("L", LOCAL)
    world.feed(one)
    one = world.identity("L", LOCAL)
    assert one.state.local
    batch = commands.receive_image(
        one.state, patient_key=one.key, patient_id=one.patient_id,
        demographics=one.state.demographics, version=one.version,
    )  # fmt: skip
    (fact,) = world.record(batch)
    assert isinstance(fact, PatientIdentified)
    assert not world.identity("L", LOCAL).state.local


def test_a_local_identifier_told_first_moves_to_whom_the_message_names() -> None:
    world = World()
    first, local, other = world.identity("A"), world.identity("L1", LOCAL), world.identity("B")
    world.feed(first, local)

    world.feed(world.identity("L1", LOCAL), other)

    assert world.groups() == {frozenset({"A"}), frozenset({"B", "L1"})}


@for_all(
    st.lists(
        st.tuples(
            st.sampled_from(["feed", "merge", "link", "unlink"]),
            st.sampled_from(["A", "B", "C", "L1", "L2", "Y1", "Y2"]),
            st.sampled_from(["A", "B", "C", "L1", "L2", "Y1", "Y2"]),
        ),
        max_size=25,
    )
)
def test_whatever_is_told_a_person_has_one_identifier_of_the_affinity_domain(
    told: list[tuple[str, str, str]],
) -> None:
    world = World()
    authority = {"A": AFFINITY, "B": AFFINITY, "C": AFFINITY, "L": LOCAL, "Y": LAB}
    for verb, one, other in told:
        first, second = (world.identity(n, authority[n[0]]) for n in (one, other))
        affinity_twice = one != other and {one, other} <= set("ABC")
        try:
            if verb == "feed" and not affinity_twice:
                world.feed(*((first, second) if one != other else (first,)))
            elif verb == "merge":
                world.merge(second, first)
            elif verb != "feed":
                command = commands.link if verb == "link" else commands.unlink
                world.record(command(first, second, world.persons(), affinity=AFFINITY))
        except (IdentifierSubsumed, IdentifierUnknown, LinkRefused, MergeRefused):
            continue
        for group in world.groups():
            assert len(group & set("ABC")) <= 1
    facts = [r.fact for events in world.streams.values() for r in events]
    merged = [f.patient_key for f in facts if isinstance(f, PatientMerged)]
    assert len(merged) == len(set(merged))
