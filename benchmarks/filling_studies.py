"""Fill the views of an installation with synthetic studies of one CT image each.

The rows are what the projections themselves make of a few hundred images; then they are copied
with other UIDs, identifiers and dates, so that a million takes minutes. The ledger knows nothing
of them. Run as a process by `benchmarks.archive` while the server is down:
`python -m benchmarks.filling_studies DATA FIRST COUNT`.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast
from uuid import UUID, uuid5

import sqlalchemy as sa

from kernel.context import Envelope
from kernel.events import Recorded
from projections.database import ViewsDatabase
from projections.storage_map import projection as storage_map
from projections.study_index import projection as study_index
from registry.studies.events import InstancesStored
from repository.instances.stored import StoredInstances
from repository.tiers.ports import BlobStore
from server.settings import load
from server.wiring import Installation
from tests.support import ct

PER_PATIENT: Final = 2
_PLATES: Final = 400
_AT_ONCE: Final = 5_000
_DAYS: Final = 3_650
_FIRST_UID: Final = 1 << 121
_SPACE: Final = UUID("6c1a4a3e-4b7e-4b59-9b39-0d4f6b6f1d55")
_SURNAMES: Final = (
    "Wang=王", "Li=李", "Zhang=张", "Liu=刘", "Chen=陈", "Yang=杨", "Zhao=赵", "Huang=黄",
    "Zhou=周", "Wu=吴", "Xu=徐", "Sun=孙", "Hu=胡", "Zhu=朱", "Gao=高", "Lin=林", "He=何",
    "Guo=郭", "Ma=马", "Luo=罗",
)  # fmt: skip
_GIVEN: Final = (
    "Wei=伟", "Fang=芳", "Na=娜", "Min=敏", "Jing=静", "Li=丽", "Qiang=强", "Lei=磊", "Jun=军",
    "Yang=洋", "Yong=勇", "Yan=艳", "Jie=杰", "Juan=娟", "Tao=涛", "Ming=明", "Chao=超",
    "Xiulan=秀兰", "Xia=霞", "Ping=平",
)  # fmt: skip
_DESCRIPTIONS: Final = ("Chest routine", "Head without contrast", "Abdomen", "胸部平扫", "头颅平扫")
_MARKS: Final = {"date": "18000101", "id": "Q000000000", "accession": "ACC000000000"}


def patient_id(study: int) -> str:
    """Return the identifier of the patient of a study."""
    return f"Q{study // PER_PATIENT:09d}"


def accession(study: int) -> str:
    """Return the accession number of a study."""
    return f"ACC{study:09d}"


def study_uid(study: int) -> str:
    """Return the UID of a study."""
    return _uid(study, 0)


def series_uid(study: int) -> str:
    """Return the UID of its series."""
    return _uid(study, 1)


def study_date(study: int) -> str:
    """Return when a study was made: scattered over ten years."""
    day = study * 2_654_435_761 % _DAYS
    return f"20{16 + day // 365}{1 + day % 365 // 31:02d}{1 + day % 28:02d}"


def fill(here: Installation, first: int, count: int) -> None:
    """Add `count` studies to both views of images, from number `first` on."""
    began = time.monotonic()
    views = here.views
    live = {name: views.live(name).suffix for name in (study_index.NAME, storage_map.NAME)}
    plates = _plates(live)
    _indexes(views, plates[0], present=False)
    for start in range(first, first + count, _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, first + count))
        with views.writer.begin() as connection:
            for place, table in enumerate(plates[0].tables):
                rows = (plates[n % len(plates)].row(place, n) for n in numbers)
                _write(connection, table, rows)
    _indexes(views, plates[0], present=True)
    if views.writer.dialect.name == "postgresql":
        _as_the_autovacuum(views, plates[0])
    print(f"{count} studies in {time.monotonic() - began:.0f} s", flush=True)


@dataclass(frozen=True)
class _Row:
    """A row of a plate: its values, and which of them hold which marks."""

    values: tuple[Any, ...]
    marked: tuple[tuple[int, tuple[int, ...]], ...]


@dataclass(frozen=True)
class _Plate:
    """The rows that the projections made of one image."""

    tables: tuple[sa.Table, ...]
    rows: tuple[_Row, ...]
    marks: tuple[str, ...]

    def row(self, place: int, study: int) -> list[Any]:
        """Return the row of a table with the marks replaced by those of a study."""
        row = self.rows[place]
        values = list(row.values)
        told = _told(study)
        for column, marks in row.marked:
            value = values[column]
            for mark in marks:
                old, new = self.marks[mark], told[mark]
                value = (
                    value.replace(old.encode(), new.encode())
                    if isinstance(value, bytes)
                    else value.replace(old, new)
                )
            values[column] = value
        return values


def _uid(study: int, kind: int) -> str:
    """Return a UID as long as those of `tests.support.ct`."""
    return f"{ct.ROOT}.{_FIRST_UID + study * 4 + kind}"


def _told(study: int) -> tuple[str, ...]:
    patient = str(uuid5(_SPACE, patient_id(study)))
    return (*(_uid(study, kind) for kind in range(3)), study_date(study), patient_id(study),
            accession(study), patient)  # fmt: skip


class _Images:
    """The octets of the plates, as a BlobStore gives them."""

    tier = "plates"

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    def size(self, key: str) -> int:
        return len(self.held[key])

    def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        end = None if length is None else offset + length
        return self.held[key][offset:end]

    def path(self, _key: str) -> None:
        return None


def _plates(live: dict[str, str]) -> list[_Plate]:
    """Let the projections make the rows of some images, in a database of their own."""
    images, chance = _Images(), random.Random(3)
    told = [_image(images, chance, number) for number in range(_PLATES)]
    source = StoredInstances(cast("BlobStore", images))
    kept: list[tuple[sa.Table, list[dict[str, Any]]]] = []
    for spec in (study_index.spec(source), storage_map.spec(source)):
        tables = spec.make_tables(live[spec.name])
        engine = sa.create_engine("sqlite://")
        with engine.begin() as connection:
            tables.metadata.create_all(connection)
            spec.make_projection(tables).apply(connection, [event for event, _ in told])
            for table in tables.metadata.sorted_tables:
                rows = [dict(r) for r in connection.execute(sa.select(table)).mappings()]
                if len(rows) == _PLATES:
                    kept.append((table, rows))
        engine.dispose()
    return [_plate(kept, event, marks) for event, marks in told]


def _image(images: _Images, chance: random.Random, number: int) -> tuple[Recorded, tuple[str, ...]]:
    surname, written = _SURNAMES[number % len(_SURNAMES)].split("=")
    given, also = _GIVEN[number // len(_SURNAMES) % len(_GIVEN)].split("=")
    series = ct.Series(
        patient_id=_MARKS["id"],
        patient_name=f"{surname}^{given}={written}^{also}",
        accession=_MARKS["accession"],
        study_date=_MARKS["date"],
        description=chance.choice(_DESCRIPTIONS),
    )
    dataset = next(iter(ct.slices(series, 1, size=16)))
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    octets = buffer.getvalue()
    key = hashlib.sha256(octets).hexdigest()
    images.held[key] = octets
    patient = UUID(int=number + 1)
    fact = InstancesStored(
        study_uid=series.study_uid, patient_key=patient, series_uids=(series.series_uid,),
        sop_classes=(str(dataset.SOPClassUID),),
        transfer_syntaxes=(str(dataset.file_meta.TransferSyntaxUID),),
        sop_uids=(str(dataset.SOPInstanceUID),), series=(0,), sop_class=(0,), transfer_syntax=(0,),
        sizes=(len(octets),), sha256=(key,),
    )  # fmt: skip
    event = Recorded(
        stream=patient, version=1, position=number + 1, at=datetime(2026, 1, 1, tzinfo=UTC),
        topic=InstancesStored.TOPIC, fact=fact, envelope=Envelope(),
    )  # fmt: skip
    marks = (series.study_uid, series.series_uid, fact.sop_uids[0], *_MARKS.values(), str(patient))
    return event, marks


def _plate(
    kept: Sequence[tuple[sa.Table, list[dict[str, Any]]]], event: Recorded, marks: tuple[str, ...]
) -> _Plate:
    uid = cast("InstancesStored", event.fact).study_uid
    rows = []
    for table, found in kept:
        row = next(one for one in found if one["study_uid"] == uid)
        if "pending" in row:
            # As after its publication: else the server would publish them all.
            row |= {"pending": False, "complete_count": 1, "published_count": 1}
        values = tuple(row[column.name] for column in table.columns)
        rows.append(_Row(values, tuple(_marked(values, marks))))
    return _Plate(tuple(table for table, _ in kept), tuple(rows), marks)


def _marked(
    values: tuple[Any, ...], marks: tuple[str, ...]
) -> Iterator[tuple[int, tuple[int, ...]]]:
    for column, value in enumerate(values):
        if isinstance(value, str | bytes):
            text = value if isinstance(value, str) else value.decode("latin-1")
            # Of the compressed metadata none is found: they stay those of the plate.
            if found := tuple(n for n, mark in enumerate(marks) if mark in text):
                yield column, found


def _write(connection: sa.Connection, table: sa.Table, rows: Iterator[list[Any]]) -> None:
    """Write rows by the quickest way of the engine."""
    cursor: Any = connection.connection.cursor()
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    if connection.dialect.name == "postgresql":
        with cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(row)
    else:
        places = ", ".join("?" * len(table.columns))
        cursor.executemany(f'INSERT INTO "{table.name}" ({names}) VALUES ({places})', rows)
    cursor.close()


def _indexes(views: ViewsDatabase, plate: _Plate, *, present: bool) -> None:
    """Drop the indexes while rows come in, or make them; beside the primary keys."""
    with views.writer.begin() as connection:
        for table in plate.tables:
            for index in sorted(table.indexes, key=lambda one: str(one.name)):
                if present:
                    index.create(connection, checkfirst=True)
                else:
                    index.drop(connection, checkfirst=True)


def _as_the_autovacuum(views: ViewsDatabase, plate: _Plate) -> None:
    """Do what it does within minutes: statistics, and what index-only scans need."""
    with views.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in plate.tables:
            connection.execute(sa.text(f'VACUUM (ANALYZE) "{table.name}"'))


def main() -> None:
    """Fill the installation in the folder given."""
    folder, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with Installation(load(None, os.environ, {"data": folder}), node="bench") as here:
        here.create()
        fill(here, first, count)


if __name__ == "__main__":
    main()
