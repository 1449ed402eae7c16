"""Registry objects decoded: what a stranger's text may not do (ebRIM 3.0)."""

from __future__ import annotations

from uuid import uuid4

from lxml import etree

from adapters.xds import decode_objects, encode_objects, names
from adapters.xds.ebrim import EbrimObject, Ids
from tests.support.submissions import entry


def test_a_version_beyond_all_measure_is_no_defect() -> None:
    told = f'<o xmlns:rim="{names.RIM}">{encode_objects.document_entry(entry())}</o>'
    (element,) = etree.fromstring(told)
    (version,) = element.iterfind(f"{{{names.RIM}}}VersionInfo")
    version.set("versionName", "9" * 5000)
    ids = Ids((element.get("id", ""),), iter(uuid4, None))
    read = EbrimObject(element, "DocumentEntry")
    assert decode_objects.document_entry(read, ids).version == 1
