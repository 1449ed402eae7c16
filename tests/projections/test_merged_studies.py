"""After a merge the studies of the subsumed identifier are the survivor's, those that grow too."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from kernel.identifiers import PatientId
from kernel.ledger.ports import Append, StreamAppend
from projections.runner import Runner
from registry.patients.events import PatientShredded
from registry.patients.values import Told
from tests.support.archive import AUTHORITY, instance, stable
from tests.support.imaging import Imaging, imaging
from tests.support.postgres import drop_schema
from workflows.receive_identity_feed import IdentityFeed

OLD, NEW = PatientId("PAT-A", AUTHORITY), PatientId("PAT-B", AUTHORITY)
ALL = sa.true()


@pytest.fixture
def archive(engine_dsn: str | None, tmp_path: Path) -> Generator[Imaging]:
    schema = f"test_{uuid4().hex[:12]}" if engine_dsn else ""
    with imaging(tmp_path, dsn=engine_dsn, schema=schema) as made:
        yield made
    if engine_dsn is not None:
        drop_schema(engine_dsn, schema)


def merge(archive: Imaging) -> None:
    house = archive.house
    IdentityFeed(house.facts, house.keys, AUTHORITY).merge(OLD, NEW, Told())


def owners(archive: Imaging) -> set[str]:
    """Return the patient keys of every row of both views."""
    found: set[str] = set()
    for view, names in (("study_index", ("studies", "series", "instances")),
                        ("storage_map", ("instances",))):  # fmt: skip
        with archive.house.views.reading(view) as (connection, tables):
            for name in names:
                column = getattr(tables, name).c.patient_key
                found |= set(connection.execute(sa.select(column)).scalars())
    return found


def test_studies_move_and_what_comes_late_is_the_survivors(archive: Imaging) -> None:
    archive.store(instance(1, study="A"), instance(1, study="B"))
    merge(archive)
    key = archive.house.keys.key(NEW)
    assert owners(archive) == {str(key)}
    archive.store(instance(2, study="A"), instance(1, study="A", series="2"))
    assert owners(archive) == {str(key)}
    studies = archive.index.studies_of_patient(key, policy=ALL)
    assert {study.study_uid for study in studies} == {stable("A"), stable("B")}
    assert archive.index.studies_of_patient(archive.house.keys.key(OLD), policy=ALL) in ([], ())
    # The objects stay what they are; lists and headers tell the survivor.
    moved = archive.index.study(stable("A"))
    assert moved is not None
    assert (moved.patient_id, moved.instance_count) == ("PAT-B", 3)
    located = archive.storage.instances(stable("A"))
    assert {one.patient_key for one in located} == {key}


def test_a_rebuild_tells_the_same(archive: Imaging) -> None:
    archive.store(instance(1, study="A"))
    merge(archive)
    archive.store(instance(2, study="A"))
    views = archive.house.views
    runner = Runner(views, {"facts": archive.house.facts})
    for view in ("study_index", "storage_map"):
        runner.rebuild(view)
    runner.catch_up("facts")
    views._live.clear()
    assert owners(archive) == {str(archive.house.keys.key(NEW))}
    study = archive.index.study(stable("A"))
    assert study is not None
    assert study.instance_count == 2


def test_a_shredded_survivor_takes_them_along(archive: Imaging) -> None:
    archive.store(instance(1, study="A"), instance(1, study="B"))
    merge(archive)
    key = archive.house.keys.key(NEW)
    gone = PatientShredded(patient_key=key, reason="asked")
    archive.house.facts.append(Append((StreamAppend(key, (gone,)),)))
    assert owners(archive) == set()
