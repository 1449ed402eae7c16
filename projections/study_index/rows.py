"""The rows a first instance makes, and the JSON of a row when its counts have changed.

Implements PS3.18 tables 10.6.3-3 and 10.6.3-4 (attributes returned). Called by `projection.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from projections.person_names import name_keys, search_key
from projections.study_index.attributes import (
    INSTANCE_AVAILABILITY,
    MARK,
    MODALITIES_IN_STUDY,
    REQUIRED,
    RETRIEVE_URL,
    SERIES_INSTANCE_COUNT,
    SERIES_MORE,
    SERIES_RETURNED,
    SOP_CLASSES_IN_STUDY,
    STUDY_INSTANCE_COUNT,
    STUDY_MORE,
    STUDY_RETURNED,
    STUDY_SERIES_COUNT,
    Level,
)
from repository.instances.dicom_json import member, members_of
from repository.instances.dictionary import vr_of
from repository.instances.elements import Dataset
from repository.instances.header import InstanceHeader

_unpack = msgspec.msgpack.Decoder(dict[int, bytes]).decode
_pack = msgspec.msgpack.Encoder().encode
MAX_TEXT = 256
"""PS3.5 6.2 allows 64 characters, or 64 in each group of a name; an index holds no more."""
MAX_SHORT = 32
MAX_ITEMS = 64
_STUDY = frozenset(STUDY_RETURNED)
_SERIES = frozenset(SERIES_RETURNED)


@dataclass(frozen=True, slots=True)
class InstanceSeen:
    """One stored instance with its header, if it can be read."""

    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class: str
    transfer_syntax: str
    patient_key: str
    size: int
    header: InstanceHeader | None
    at: int
    ordinal: int
    home: tuple[str, str]
    """Study and series as its header has them: elsewhere if it followed a move."""

    def text(self, tag: int) -> str:
        """Return a text of the header, shortened to what an index holds."""
        return "" if self.header is None else _indexable(self.header.text(tag))

    def short(self, tag: int) -> str:
        """Return a date, time or code of the header."""
        return self.text(tag)[:MAX_SHORT]

    def integer(self, tag: int) -> int | None:
        """Return a number of the header."""
        found = None if self.header is None else self.header.dataset.integer(tag)
        return found if found is not None and abs(found) < 1 << 62 else None

    @property
    def frames(self) -> int:
        """Return Number of Frames."""
        return 0 if self.header is None else min(self.header.number_of_frames, 1 << 40)

    @property
    def named(self) -> str:
        """Return whom the header names: what instances of a study should agree on."""
        tags = (self.text(0x00100020), self.text(0x00100010))
        return "\x1f".join((*tags, self.short(0x00100030), self.short(0x00100040)))

    def members(self, level: Level, tags: tuple[int, ...]) -> dict[int, bytes]:
        """Return JSON members of the header; at least the UIDs, which the event tells."""
        found = {} if self.header is None else members_of(self.header, tags)
        for tag in REQUIRED[level]:
            found.setdefault(tag, member(tag, vr_of(tag).decode()))
        found[0x0020000D] = member(0x0020000D, "UI", self.study_uid)
        if level is not Level.STUDY:
            found[0x0020000E] = member(0x0020000E, "UI", self.series_uid)
        if level is Level.INSTANCE:
            found[0x00080016] = member(0x00080016, "UI", self.sop_class)
            found[0x00080018] = member(0x00080018, "UI", self.sop_uid)
        return dict(sorted(found.items()))


def new_study(seen: InstanceSeen) -> dict[str, Any]:
    """Return the row of a study whose first instance this is."""
    name = seen.text(0x00100010)
    keys = name_keys(name)
    return {
        "study_uid": seen.study_uid,
        "patient_key": seen.patient_key,
        "patient_id": seen.text(0x00100020),
        "issuer": _indexable(seen.header.patient_id_issuer) if seen.header else "",
        "name": name,
        "alphabetic": keys.alphabetic,
        "ideographic": keys.ideographic,
        "latin": keys.latin[:MAX_TEXT],
        "written": keys.written[:MAX_TEXT],
        "pinyin": keys.pinyin[:MAX_TEXT],
        "initials": keys.initials[:MAX_TEXT],
        "birth_date": seen.short(0x00100030),
        "sex": seen.short(0x00100040),
        "study_date": seen.short(0x00080020),
        "study_time": seen.short(0x00080030),
        "accession": seen.text(0x00080050),
        "study_id": seen.text(0x00200010),
        "description": seen.text(0x00081030),
        "referring": seen.text(0x00080090),
        "referring_keys": person_keys(seen.text(0x00080090)),
        "modalities": "",
        "sop_classes": "",
        "body_parts": "",
        "manifest_uid": "",
        "manifest_entry": "",
        "series_count": 0,
        "instance_count": 0,
        "held_count": 0,
        "hidden": False,
        "size_bytes": 0,
        "first_at": seen.at,
        "last_at": seen.at,
        "complete_count": 0,
        "published_count": 0,
        "pending": True,
        "mixed": False,
        "named": seen.named,
        "revision": seen.ordinal,
        "fixed": _pack(seen.members(Level.STUDY, STUDY_RETURNED + STUDY_MORE)),
        "json": b"",
    }


def new_series(seen: InstanceSeen) -> dict[str, Any]:
    """Return the row of a series whose first instance this is."""
    requests = seen.header.dataset.items(0x00400275) if seen.header else ()
    return {
        "study_uid": seen.study_uid,
        "series_uid": seen.series_uid,
        "patient_key": seen.patient_key,
        "modality": seen.short(0x00080060),
        "description": seen.text(0x0008103E),
        "body_part": seen.text(0x00180015),
        "series_date": seen.short(0x00080021),
        "series_time": seen.short(0x00080031),
        "institution": seen.text(0x00080080),
        "department": seen.text(0x00081040),
        "station": seen.text(0x00081010),
        "performing_keys": person_keys(seen.text(0x00081050)),
        "step_date": seen.short(0x00400244),
        "step_time": seen.short(0x00400245),
        "scheduled_step_id": _each(requests, 0x00400009),
        "procedure_id": _each(requests, 0x00401001),
        "number": seen.integer(0x00200011),
        "instance_count": 0,
        "hidden": False,
        "first_at": seen.at,
        "revision": seen.ordinal,
        "fixed": _pack(seen.members(Level.SERIES, SERIES_RETURNED + SERIES_MORE)),
        "json": b"",
    }


def with_series(study: dict[str, Any], series: dict[str, Any]) -> None:
    """Add a new series' modality and body part to its study."""
    for column, value in (("modalities", series["modality"]), ("body_parts", series["body_part"])):
        if value and f"\\{value}\\" not in study[column]:
            study[column] = (study[column] or "\\") + value + "\\"


def study_json(study: dict[str, Any]) -> bytes:
    """Return the ready answer of a study (PS3.18 table 10.6.3-3)."""
    members = {t: m for t, m in _unpack(study["fixed"]).items() if t in _STUDY}
    members.update(study_members(study))
    # Optional in the answer (PS3.18 10.6.3.3): only sent when asked for by includefield.
    del members[SOP_CLASSES_IN_STUDY]
    return joined(members)


def study_members(study: Any) -> dict[int, bytes]:
    """Return the members of a study that change as instances come."""
    path = b"/studies/" + study["study_uid"].encode()
    return {
        INSTANCE_AVAILABILITY: member(INSTANCE_AVAILABILITY, "CS", "ONLINE"),
        MODALITIES_IN_STUDY: member(MODALITIES_IN_STUDY, "CS", *values(study["modalities"])),
        SOP_CLASSES_IN_STUDY: member(SOP_CLASSES_IN_STUDY, "UI", *values(study["sop_classes"])),
        RETRIEVE_URL: _url(path),
        STUDY_SERIES_COUNT: member(STUDY_SERIES_COUNT, "IS", study["series_count"]),
        STUDY_INSTANCE_COUNT: member(STUDY_INSTANCE_COUNT, "IS", study["instance_count"]),
    }


def series_json(series: dict[str, Any]) -> bytes:
    """Return the ready answer of a series (PS3.18 table 10.6.3-4)."""
    members = {t: m for t, m in _unpack(series["fixed"]).items() if t in _SERIES}
    members.update(series_members(series))
    return joined(members)


def series_members(series: Any) -> dict[int, bytes]:
    """Return the members of a series that change as instances come."""
    path = f"/studies/{series['study_uid']}/series/{series['series_uid']}".encode()
    return {
        INSTANCE_AVAILABILITY: member(INSTANCE_AVAILABILITY, "CS", "ONLINE"),
        RETRIEVE_URL: _url(path),
        SERIES_INSTANCE_COUNT: member(SERIES_INSTANCE_COUNT, "IS", series["instance_count"]),
    }


def fixed_members(packed: bytes) -> dict[int, bytes]:
    """Return the members that a first instance gave."""
    return _unpack(packed)


def packed_members(members: dict[int, bytes]) -> bytes:
    """Return members as a row keeps them."""
    return _pack(members)


def joined(members: dict[int, bytes]) -> bytes:
    """Return a JSON object of members, in ascending order of tag (PS3.18 F.2.2)."""
    return b"{" + b",".join([members[tag] for tag in sorted(members)]) + b"}"


def values(column: str) -> list[str]:
    """Return the values of a column that holds many, each between backslashes."""
    return sorted(value for value in column.split("\\") if value)


def person_keys(person_name: str) -> str:
    r"""Return what a person is found by, each key between backslashes; `\` when nameless."""
    keys = name_keys(person_name)
    found = dict.fromkeys((keys.latin, keys.written, keys.pinyin, search_key(keys.alphabetic)))
    return "\\" + "".join(f"{key}\\" for key in found if key)


def _each(items: Sequence[Dataset], tag: int) -> str:
    r"""Return the identifiers of all items in capitals, each between backslashes; `\` when none."""
    found = dict.fromkeys(_indexable(item.ascii(tag)).upper() for item in items[:MAX_ITEMS])
    return "\\" + "".join(f"{one}\\" for one in found if one)


def _indexable(text: str) -> str:
    """Return a text as both engines hold it: PostgreSQL knows no NUL, and its indexes a limit."""
    return text[:MAX_TEXT].replace("\x00", "")


def _url(path: bytes) -> bytes:
    return b'"00081190":{"vr":"UR","Value":["%s%s"]}' % (MARK, path)
