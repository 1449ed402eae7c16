"""DICOM JSON of the views as answers: base URLs put in, or as Native DICOM XML.

Implements PS3.18 F (DICOM JSON) and PS3.19 A.1 (Native DICOM Model). Pure; called by the
resources.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

import msgspec

from projections.study_index.attributes import MARK
from repository.instances.dictionary import keyword_of

JSON: Final = "application/dicom+json"
XML: Final = "application/dicom+xml"
PLAIN_JSON: Final = "application/json"
_GZIP_LEVEL: Final = 1
_GZIP_FROM: Final = 1024
_decode: Final = msgspec.json.Decoder().decode
_PN_PARTS: Final = (
    "FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix",
)  # fmt: skip


def array(items: Iterable[bytes], base: str) -> bytes:
    """Return a JSON array of stored objects, with URLs that begin with `base`."""
    return b"[" + b",".join(items).replace(MARK, base.encode("latin-1")) + b"]"


def compressed(body: bytes) -> bytes:
    """Return a body as gzip; only ever used on text."""
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


def worth_compressing(body: bytes) -> bool:
    """Tell whether compression would save anything."""
    return len(body) >= _GZIP_FROM


def xml_documents(array_json: bytes) -> list[bytes]:
    """Return each object of a JSON array as a Native DICOM Model document."""
    return [xml_document(item) for item in _decode(array_json)]


def xml_document(dataset: dict[str, Any]) -> bytes:
    """Return one data set as a Native DICOM Model document (PS3.19 A.1.5)."""
    body = "".join(_attributes(dataset))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" '
        f'xml:space="preserve">{body}</NativeDicomModel>'
    ).encode()


def _attributes(dataset: dict[str, Any]) -> Iterable[str]:
    for name, attribute in dataset.items():
        keyword = keyword_of(int(name, 16))
        told = f' keyword="{keyword}"' if keyword else ""
        inner = "".join(_content(attribute))
        yield (
            f'<DicomAttribute tag="{name}" vr={quoteattr(str(attribute["vr"]))}{told}>'
            f"{inner}</DicomAttribute>"
        )


def _content(attribute: dict[str, Any]) -> Iterable[str]:
    if "BulkDataURI" in attribute:
        yield f"<BulkData uri={quoteattr(attribute['BulkDataURI'])}/>"
    if "InlineBinary" in attribute:
        yield f"<InlineBinary>{attribute['InlineBinary']}</InlineBinary>"
    for number, value in enumerate(attribute.get("Value", ()), 1):
        if attribute["vr"] == "SQ":
            yield f'<Item number="{number}">{"".join(_attributes(value))}</Item>'
        elif attribute["vr"] == "PN":
            yield f'<PersonName number="{number}">{"".join(_name(value or {}))}</PersonName>'
        else:
            yield f'<Value number="{number}">{_text(value)}</Value>'


def _name(groups: dict[str, str]) -> Iterable[str]:
    for group, text in groups.items():
        parts = zip(_PN_PARTS, text.split("^"), strict=False)
        inner = "".join(f"<{part}>{_text(value)}</{part}>" for part, value in parts if value)
        yield f"<{group}>{inner}</{group}>"


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    # XML 1.0 has no way to write most control characters.
    return escape("".join(c for c in text if c >= " " or c in "\t\n\r"))


def sequence_item(members: Sequence[tuple[str, str, Sequence[object]]]) -> dict[str, Any]:
    """Return an item of a JSON sequence from (tag, VR, values)."""
    return {
        tag: {"vr": vr, "Value": list(values)} if values else {"vr": vr}
        for tag, vr, values in members
    }
