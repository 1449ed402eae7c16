"""The rows of the imaging views, live and made anew from the ledger, in a form to be compared.

Called by tests of corrections: batches differ between the two, so chunks of metadata are taken
apart and revisions, which only grow, are left out.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from projections.storage_map import projection as storage_map
from projections.study_index import projection as study_index
from repository.instances.stored import StoredInstances

_BY_BATCH = {"revision", "chunk", "chunk_start"}
Rows = dict[str, list[tuple[Any, ...]]]


def live(views: Any) -> Rows:
    """Return the rows of running views, behind the barrier."""
    found: Rows = {}
    for name in (study_index.NAME, storage_map.NAME):
        with views.database.reading(name) as (connection, tables):
            found |= _rows(connection, tables, name)
    return found


def anew(events: Sequence[Any], blobs: Any, *, batch: int) -> Rows:
    """Return the rows that the same events make in empty views, `batch` at a time."""
    found: Rows = {}
    source = StoredInstances(blobs)
    for spec in (study_index.spec(source), storage_map.spec(source)):
        engine = sa.create_engine("sqlite://")
        tables = spec.make_tables("_anew")
        tables.metadata.create_all(engine)
        projection = spec.make_projection(tables)
        wanted = [one for one in events if one.fact.TOPIC in spec.topics]
        for start in range(0, len(wanted), batch):
            with engine.begin() as connection:
                projection.apply(connection, wanted[start : start + batch])
        with engine.connect() as connection:
            found |= _rows(connection, tables, spec.name)
        engine.dispose()
    return found


def _rows(connection: Connection, tables: Any, view: str) -> Rows:
    found: Rows = {}
    for table in tables.metadata.sorted_tables:
        name = f"{view}.{table.name.removesuffix('_anew').rstrip('0123456789_g')}"
        if table.name.startswith("metadata_chunk"):
            continue
        rows = connection.execute(sa.select(table)).mappings()
        kept = [c.name for c in table.columns if c.name not in _BY_BATCH]
        found[name] = sorted(_plain(row[c] for c in kept) for row in rows)
    if view == study_index.NAME:
        found["metadata"] = sorted(_metadata(connection, tables))
    return found


def _plain(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(bytes(v) if isinstance(v, bytes | memoryview) else str(v) for v in values)


def _metadata(connection: Connection, tables: Any) -> Iterable[tuple[str, bytes]]:
    i, c = tables.instances.c, tables.chunks.c
    where = sa.and_(c.study_uid == i.study_uid, c.series_uid == i.series_uid, c.chunk == i.chunk)
    query = sa.select(i.sop_uid, i.chunk_start, i.chunk_length, c.body).join_from(
        tables.instances, tables.chunks, where
    )
    for row in connection.execute(query):
        body = zlib.decompress(row.body)
        yield row.sop_uid, body[row.chunk_start : row.chunk_start + row.chunk_length]
