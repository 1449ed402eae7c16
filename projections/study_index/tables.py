"""The tables of the study index, on SQLite and PostgreSQL alike.

Design A4. `fixed` holds the JSON members of the first instance (msgpack: tag -> octets), `json`
the ready answer. Used by `projection.py` to write and by `view.py`, `search.py` to read.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column

from projections.merged_patients import merges_table
from projections.moved_instances import MoveTables

_SORTED: Final = ("study_date", "study_time", "study_uid")
_WALKED: Final = (
    "modalities", "latin", "written", "pinyin", "initials", "patient_id", "accession",
    "description", "birth_date", "sex",
)  # fmt: skip
"""What is looked for along the dates."""


def _key() -> sa.types.TypeEngine[str]:
    """Return the type of a column that is compared byte by byte, for ranges of prefixes."""
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _text(name: str) -> Column[str]:
    return Column(name, _key(), nullable=False, default="")


def _uid(name: str, *, primary_key: bool = False) -> Column[str]:
    return Column(name, sa.String(64), primary_key=primary_key, nullable=False)


def _number(name: str) -> Column[int]:
    return Column(name, sa.BigInteger, nullable=False, default=0)


def _hidden() -> Column[bool]:
    """Return the mark of what a rejection note takes out of sight (`rejected.py`)."""
    return Column("hidden", sa.Boolean, nullable=False, default=False)


class Tables:
    """Studies, series, instances, and the metadata of instances in compressed chunks."""

    def __init__(self, suffix: str) -> None:
        self.metadata = sa.MetaData()
        self.studies = self._studies(suffix)
        self.series = self._series(suffix)
        self.instances = self._instances(suffix)
        self.chunks = sa.Table(
            f"metadata_chunk{suffix}",
            self.metadata,
            _uid("study_uid", primary_key=True),
            _uid("series_uid", primary_key=True),
            Column("chunk", sa.BigInteger, primary_key=True, autoincrement=False),
            Column("body", sa.LargeBinary, nullable=False),
        )
        self.rejected = sa.Table(
            f"rejected_instance{suffix}",
            self.metadata,
            _uid("sop_uid", primary_key=True),
            Column("patient_key", sa.String(36), primary_key=True),
            Column("reason", sa.String(16), nullable=False),
            _number("ordinal"),
        )
        self.merges = merges_table(self.metadata, f"study_merge{suffix}")
        self.moves = MoveTables(self.metadata, "study", suffix)
        self.corrections, self.corrected = self._corrections(suffix)
        self.told, self.moved = self._told(suffix), self._moved(suffix)

    def _corrections(self, suffix: str) -> tuple[sa.Table, sa.Table]:
        """Return what was corrected, and the studies that differ from their stored headers."""
        return sa.Table(
            f"study_correction{suffix}",
            self.metadata,
            _uid("study_uid", primary_key=True),
            Column("tag", sa.String(8), primary_key=True),
            Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
            # Whose key seals the value: it goes when that key is destroyed.
            Column("sealed_for", sa.String(36), nullable=False),
            _number("at"),
            Column("attribute", sa.LargeBinary, nullable=False),
            sa.Index(f"study_correction_sealed{suffix}", "sealed_for"),
        ), sa.Table(
            f"corrected_study{suffix}",
            self.metadata,
            _uid("study_uid", primary_key=True),
            Column("patient_key", sa.String(36), nullable=False),
            # `fixed` as the headers have it, and what is told otherwise (DICOM JSON).
            Column("original", sa.LargeBinary, nullable=False),
            Column("changes", sa.LargeBinary, nullable=False),
        )

    def _told(self, suffix: str) -> sa.Table:
        """Return what identity feeds tell of patients; images tell nothing here."""
        return sa.Table(
            f"study_patient_told{suffix}",
            self.metadata,
            Column("patient_key", sa.String(36), primary_key=True),
            *(_text(name) for name in ("patient_id", "name", "birth_date", "sex")),
            _number("at"),
        )

    def _moved(self, suffix: str) -> sa.Table:
        """Return the instances that are not where their stored header says."""
        return sa.Table(
            f"study_moved_instance{suffix}",
            self.metadata,
            _uid("sop_uid", primary_key=True),
            _uid("home_study"),
            _uid("home_series"),
            _number("at"),
            # What was told of the patient in the studies that it came through (DICOM JSON).
            Column("carried", sa.LargeBinary, nullable=False),
            sa.Index(f"study_moved_home{suffix}", "home_study", "home_series"),
        )

    def _studies(self, suffix: str) -> sa.Table:
        columns = (
            "patient_id", "issuer", "name", "alphabetic", "ideographic", "latin", "written",
            "pinyin", "initials", "birth_date", "sex", "study_date", "study_time", "accession",
            "study_id", "description", "referring", "referring_keys", "modalities",
            "sop_classes", "body_parts", "manifest_uid", "manifest_entry",
        )  # fmt: skip
        indexed = ("patient_id", "accession", "latin", "written", "pinyin", "initials")
        return sa.Table(
            f"study{suffix}",
            self.metadata,
            _uid("study_uid", primary_key=True),
            Column("patient_key", sa.String(36), nullable=False),
            *(_text(name) for name in columns),
            _number("series_count"),
            _number("instance_count"),
            # What is held, rejected instances and their notes included.
            _number("held_count"),
            _hidden(),
            _number("size_bytes"),
            _number("first_at"),
            _number("last_at"),
            _number("complete_count"),
            _number("published_count"),
            Column("pending", sa.Boolean, nullable=False, default=True),
            # A feed told something else than the manifest says.
            Column("outdated", sa.Boolean, nullable=False, default=False),
            # Whom the first header names; and whether other instances name somebody else.
            _text("named"),
            Column("mixed", sa.Boolean, nullable=False, default=False),
            _number("revision"),
            Column("fixed", sa.LargeBinary, nullable=False),
            Column("json", sa.LargeBinary, nullable=False),
            # What a list is sorted by, and what takes studies out of it, lie in each index: the
            # rows are fat, and only those of the page shall be read (`study_pages.py`).
            *(sa.Index(f"study_{name}{suffix}", name, *_SORTED, "hidden") for name in indexed),
            sa.Index(f"study_by_date{suffix}", *_SORTED, "hidden").ddl_if("postgresql"),
            # SQLite plans without statistics and keeps long values in the row: it walks this one.
            sa.Index(f"study_walked{suffix}", *_SORTED, "hidden", *_WALKED).ddl_if("sqlite"),
            sa.Index(f"study_by_arrival{suffix}", "last_at"),
            sa.Index(f"study_by_pending{suffix}", "pending", "last_at"),
            sa.Index(f"study_by_patient{suffix}", "patient_key"),
        )

    def _series(self, suffix: str) -> sa.Table:
        columns = (
            "modality", "description", "body_part", "series_date", "series_time", "institution",
            "department", "station", "performing_keys", "step_date", "step_time",
            "scheduled_step_id", "procedure_id",
        )  # fmt: skip
        return sa.Table(
            f"series{suffix}",
            self.metadata,
            _uid("study_uid", primary_key=True),
            _uid("series_uid", primary_key=True),
            Column("patient_key", sa.String(36), nullable=False),
            *(_text(name) for name in columns),
            Column("number", sa.BigInteger, nullable=True),
            _number("instance_count"),
            _hidden(),
            _number("first_at"),
            _number("revision"),
            Column("fixed", sa.LargeBinary, nullable=False),
            Column("json", sa.LargeBinary, nullable=False),
            sa.Index(f"series_by_uid{suffix}", "series_uid"),
            # Which studies have a series of a modality: without the study in it SQLite would read
            # all series of the modality for each study.
            sa.Index(f"series_by_modality{suffix}", "modality", "study_uid"),
            sa.Index(f"series_by_patient{suffix}", "patient_key"),
        )

    def _instances(self, suffix: str) -> sa.Table:
        return sa.Table(
            f"instance{suffix}",
            self.metadata,
            _uid("sop_uid", primary_key=True),
            _uid("study_uid"),
            _uid("series_uid"),
            Column("patient_key", sa.String(36), nullable=False),
            _uid("sop_class"),
            Column("number", sa.BigInteger, nullable=True),
            _number("frame_count"),
            _number("size"),
            _number("ordinal"),
            _number("chunk"),
            _number("chunk_start"),
            _number("chunk_length"),
            _hidden(),
            Column("json", sa.LargeBinary, nullable=False),
            sa.Index(f"instance_by_series{suffix}", "study_uid", "series_uid", "ordinal"),
            sa.Index(f"instance_by_patient{suffix}", "patient_key"),
        )
