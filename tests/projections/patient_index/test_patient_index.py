"""The patient index on both engines: by key, id and name; changes; shredding."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from kernel.identifiers import PatientId
from kernel.ledger.ports import Append, StreamAppend
from projections.patient_index.projection import SPEC
from projections.patient_index.view import PatientIndex
from registry.patients.events import PatientShredded
from registry.patients.values import Told
from tests.support.installation import Installation, installation, on_engine
from workflows.receive_identity_feed import IdentityFeed

AUTHORITY = "1.2.156.999.1"
ALL = sa.true()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Installation]:
    with installation(tmp_path, [SPEC], **on_engine(request)) as made:
        yield made


def tell(place: Installation, local: str, **told: str) -> UUID:
    feed = IdentityFeed(place.facts, place.keys, AUTHORITY)
    return feed.receive((PatientId(local, AUTHORITY),), Told(**told))


def test_by_key_and_by_identifier(place: Installation) -> None:
    index = PatientIndex(place.views)
    key = tell(place, "P1", name="Zhang^San=张^三", birth_date="19800203", sex="F")
    row = index.by_key(key)
    assert row is not None
    assert index.by_id(PatientId("P1", AUTHORITY)) == row
    assert (row.patient_key, row.patient_id) == (key, f"P1^^^&{AUTHORITY}&ISO")
    assert (row.local_id, row.sex, row.birth_date, row.origin) == ("P1", "F", "19800203", "feed")
    assert index.by_id(PatientId("P1", "1.2.3")) is None
    assert index.by_key(uuid4()) is None
    assert index.by_keys([key, uuid4()]) == {key: row}


def test_by_name(place: Installation) -> None:
    index = PatientIndex(place.views)
    for number, name in enumerate(
        ("Zhang^San=张^三", "=曾^小明", "Zhao^Liu=赵^六", "MUELLER^Ann", "Li%^_x")
    ):
        tell(place, f"P{number}", name=name)

    def found(name: str = "", **more: str) -> list[str]:
        page = index.search(policy=ALL, name=name, **more)
        assert page.total == len(page.items)
        return sorted(row.local_id for row in page.items)

    assert found("zhang") == found("ZHANG^San") == found("张") == found("张 三") == ["P0"]
    assert found("zha") == ["P0", "P2"]
    assert found("zs") == ["P0"]
    assert found("zeng xiao") == found("zxm") == found("曾") == ["P1"]
    assert found("ceng") == []
    assert found("muell") == ["P3"]
    assert found("%") == found("'") == []
    assert found("li_") == ["P4"]
    assert found(local_id="P") == ["P0", "P1", "P2", "P3", "P4"]
    assert found("z", local_id="P2") == ["P2"]
    assert found() == ["P0", "P1", "P2", "P3", "P4"]
    first = index.search(policy=ALL, limit=2)
    rest = index.search(policy=ALL, offset=2, limit=500)
    assert (first.total, len(first.items), len(rest.items)) == (5, 2, 3)


def test_what_is_forbidden_is_not_counted(place: Installation) -> None:
    tell(place, "P1", name="Zhang^San")
    page = PatientIndex(place.views).search(policy=sa.false(), name="zhang")
    assert (page.total, page.items) == (0, ())


def test_a_change_and_a_shredding(place: Installation) -> None:
    index = PatientIndex(place.views)
    key = tell(place, "P1", name="Zhang^San")
    tell(place, "P1", name="Wang^Wu")
    row = index.by_key(key)
    assert row is not None
    assert (row.alphabetic, row.changed_at >= row.known_at) == ("Wang Wu", True)
    assert index.search(policy=ALL, name="zhang").total == 0
    place.facts.append(
        Append((StreamAppend(key, (PatientShredded(patient_key=key, reason="request"),)),))
    )
    place.ring.destroy(key)
    assert index.by_key(key) is None
    assert index.search(policy=ALL).total == 0


def test_a_rebuild_after_shredding_tolerates_sealed_fields(place: Installation) -> None:
    from projections.runner import Runner  # noqa: PLC0415

    gone, here = tell(place, "P1", name="Zhang^San"), tell(place, "P2", name="Wang^Wu")
    place.ring.destroy(gone)
    Runner(place.views, {"facts": place.facts}).rebuild(SPEC.name)
    tell(place, "P3", name="Li^Si")  # wakes the projector
    place.views.wait(SPEC.name)
    index = PatientIndex(place.views)
    assert index.by_key(here) is not None
    with place.views.reader.connect() as connection:
        newest = place.views.generations(connection, SPEC.name)[-1]
        table = place.views.tables(SPEC.name, newest.suffix).patients
        rows = connection.execute(sa.select(table.c.local_id)).scalars().all()
    assert "P1" not in rows


def test_a_name_beyond_all_measure_stops_no_view(place: Installation) -> None:
    # Letters that do not repeat: PostgreSQL packs what repeats before it measures.
    letters = [chr(0x4E00 + number * 7919 % 0x51A0) for number in range(1000)]
    key = tell(place, "P1", name="".join(letters))
    index = PatientIndex(place.views)
    row = index.by_key(key)
    assert row is not None
    assert row.name == "".join(letters)
    assert index.search(policy=ALL, name="".join(letters[:20])).items == (row,)
