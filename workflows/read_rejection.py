"""Read what a rejection note rejects.

RAD TF-3 4.66 (IOCM: Key Object Selection whose title says why), PS3.3 C.17.6.2 (Evidence). Called
by `store_instances` for each Key Object Selection that comes.
"""

from __future__ import annotations

from typing import Final

from kernel.identifiers import BadIdentifier, dicom_uid
from kernel.refusals import Refusal
from registry.studies.values import Rejection
from repository.instances.header import read_header_of
from repository.instances.manifest import REJECTIONS, document_title
from repository.tiers.ports import Incoming

_EVIDENCE: Final = 0x0040A375
_SERIES: Final = 0x00081115
_REFERENCED_SOP: Final = 0x00081199
_REFERENCED_INSTANCE: Final = 0x00081155


def rejection_in(incoming: Incoming) -> Rejection | None:
    """Return what a Key Object Selection rejects, None when it is no rejection note."""
    try:
        header = read_header_of(incoming.read, incoming.size)
    except Refusal:
        # Stored all the same: what cannot be read in full rejects nothing.
        return None
    title = document_title(header.dataset)
    if title is None or title.scheme != "DCM" or title.value not in REJECTIONS:
        return None
    named = (
        _uid(reference.ascii(_REFERENCED_INSTANCE))
        for study in header.dataset.items(_EVIDENCE)
        for series in study.items(_SERIES)
        for reference in series.items(_REFERENCED_SOP)
    )
    return Rejection(header.sop_uid, title.value, tuple(dict.fromkeys(uid for uid in named if uid)))


def _uid(text: str) -> str:
    try:
        return dicom_uid(text)
    except BadIdentifier:
        return ""  # such an instance was never stored
