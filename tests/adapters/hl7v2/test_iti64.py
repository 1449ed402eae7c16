"""ITI-64 over sockets: documents of a local identifier go to another patient id (16101-16103c)."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from kernel.identifiers import PatientId
from projections.document_index.filters import DocumentFilter
from registry.documents.values import AssociationType, DocumentEntry, Status
from tests.adapters.hl7v2.messages import AUTHORITY, adt
from tests.support.hl7_door import SPECS, Door
from tests.support.installation import installation, on_engine
from tests.support.submissions import association, entry, folder, member, submission

FIRST, SECOND = (f"{name}^^^&{AUTHORITY}&ISO" for name in ("X1", "X2"))
LOCAL, OTHER = (f"{name}^^^&1.2.7.7&ISO" for name in ("L1", "L2"))


class Moving:
    """A door with documents behind it."""

    def __init__(self, door: Door) -> None:
        self.door = door
        for patient in (FIRST, SECOND):
            door.send(adt(patient=patient))

    def file(self, *things: Any, local: str = LOCAL) -> UUID:
        made = entry(FIRST, source_patient_id=local)
        related = [association(kind, made.entry_uuid, target) for kind, target in things]
        self.door.register(submission(made, *related))
        return made.entry_uuid

    def found(self, patient: str, *statuses: Status) -> list[DocumentEntry]:
        key = self.door.place.keys.key(PatientId.parse(patient))
        with self.door.documents.reading() as look:
            wanted = DocumentFilter(statuses=statuses or (Status.APPROVED,))
            return [row.entry() for row in look.find_documents([key], wanted)]

    def move(self, new: str, previous: str) -> list[str]:
        answer = self.door.send(
            "MSH|^~\\&|PIX|H|PIANKU|C|20260503101200||ADT^A43^ADT_A43|HL7MSG00001|P|2.5|\r"
            f"EVN|A43|20260503101200+0800\rPID|||{new}|| |\rMRG|{previous}\r"
        )
        return [answer["MSA"][1], *answer.get("ERR", [])[2:3]]


@pytest.fixture(params=["sqlite", "postgresql"])
def moving(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Moving]:
    engine: Any = on_engine(request)
    with installation(tmp_path, SPECS, loopback_system=True, **engine) as place:
        door = Door(place)
        try:
            yield Moving(door)
        finally:
            door.close()


def test_16101_documents_are_found_under_the_new_id_only(moving: Moving) -> None:
    moved = moving.file()
    stays = moving.file(local=OTHER)
    assert moving.move(f"{SECOND}~{LOCAL}", FIRST) == ["AA"]
    assert [e.entry_uuid for e in moving.found(FIRST)] == [stays]
    (new,) = moving.found(SECOND)
    assert (new.logical_id, new.version, new.patient_id) == (moved, 2, SECOND)
    assert new.source_patient_id == LOCAL
    head = moving.door.place.facts.head()
    assert moving.move(f"{SECOND}~{LOCAL}", FIRST) == ["AA"]
    assert moving.door.place.facts.head() == head


def test_16102_a_merge_of_local_ids_moves_the_subsumed_ones_documents(moving: Moving) -> None:
    moving.file(local=OTHER)
    assert moving.move(f"{SECOND}~{LOCAL}", f"{FIRST}~{OTHER}") == ["AA"]
    assert moving.found(FIRST) == []
    assert [e.source_patient_id for e in moving.found(SECOND)] == [LOCAL]


def test_16103c_local_ids_of_one_patient_are_merged(moving: Moving) -> None:
    first, second = (entry(FIRST, source_patient_id=local) for local in (LOCAL, OTHER))
    box = folder(FIRST)
    inside = [member(box.entry_uuid, one.entry_uuid) for one in (first, second)]
    moving.door.register(submission(first, second, box, *inside))
    assert moving.move(f"{FIRST}~{LOCAL}", f"{FIRST}~{OTHER}") == ["AA"]
    assert {e.source_patient_id for e in moving.found(FIRST)} == {LOCAL}
    assert len(moving.found(FIRST)) == 2
    assert len(moving.found(FIRST, Status.APPROVED, Status.DEPRECATED)) == 3


def test_a_relationship_to_what_stays_behind_does_not_hinder(moving: Moving) -> None:
    stays = moving.file(local=OTHER)
    moving.file((AssociationType.APND, stays))
    assert moving.move(f"{SECOND}~{LOCAL}", FIRST) == ["AA"]
    assert [e.entry_uuid for e in moving.found(FIRST)] == [stays]
    assert len(moving.found(SECOND)) == 1


@pytest.mark.parametrize(
    ("new", "previous", "said"),
    [
        (f"X9^^^&{AUTHORITY}&ISO~{LOCAL}", FIRST, ["AE", ""]),
        (f"{SECOND}~{LOCAL}", f"X9^^^&{AUTHORITY}&ISO", ["AE", ""]),
        (SECOND, FIRST, ["AE", "PID^1^3^2"]),
        (f"{OTHER}~{LOCAL}", FIRST, ["AE", "PID^1^3^1^4"]),
        (f"{SECOND}~{LOCAL}", "", ["AE", "MRG^1^1"]),
        (f"{SECOND}~L1", FIRST, ["AE", "PID^1^3"]),
    ],
)
def test_what_is_refused(moving: Moving, new: str, previous: str, said: list[str]) -> None:
    moving.file()
    assert moving.move(new, previous) == said
    assert len(moving.found(FIRST)) == 1
