"""Names for kinds of storage SOP classes, so that nobody has to list two hundred UIDs.

PS3.4 B.5 (standard SOP classes of the Storage Service Class), by the arcs of their UIDs. Called by
`contexts.py` for what an AE title is held to; the names are `registry.access.values`'.
"""

from __future__ import annotations

import re
from typing import Final

_STANDARD: Final = "1.2.840.10008."
_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
_RADIOTHERAPY: Final = "1.2.840.10008.5.1.4.34."
_OTHER: Final = "other"
_GROUPS: Final = tuple(
    (re.compile(rf"(?:{arcs})(?:\.|$)"), name)
    for arcs, name in (
        (r"77\.1\.[124]\.1", "video"),
        (r"9\.100|11", "presentation-states"),
        (r"9", "waveforms"),
        (r"88", "structured-reports"),
        (r"104", "encapsulated-documents"),
        (r"66\.[4578]", "segmentations"),
        (r"481", "radiotherapy"),
        (r"4\.2", _OTHER),  # spectra, which nobody looks at as a picture
        (r"1|2|3|4|5|6|7|12|13|14|20|30|77\.1|81|128|130", "images"),
    )
)


def group_of(sop_class: str) -> str:
    """Return the group of a storage SOP class."""
    if not sop_class.startswith(_STANDARD):
        return "private"
    if sop_class.startswith(_RADIOTHERAPY):
        return "radiotherapy"
    if not sop_class.startswith(_STORAGE):
        return _OTHER
    arc = sop_class.removeprefix(_STORAGE)
    return next((name for pattern, name in _GROUPS if pattern.match(arc)), _OTHER)
