"""Code-set files as they come: our JSON, or the XML that the NIST XDS toolkit calls codes.xml.

Reads the affinity domain's vocabulary (ITI TF-3 4.2.3.1), which is data of the operator's.
Called by `server.wiring`, which tells the operator when a file is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lxml import etree

from adapters.soap import envelope
from adapters.xds import names
from registry.documents.code_sets import AllowedCode, CodeSet, CodeSets

_ATTRIBUTES: Final[Mapping[str, str]] = {
    names.CLASS_CODE: "classCode",
    names.TYPE_CODE: "typeCode",
    names.FORMAT_CODE: "formatCode",
    names.FACILITY_CODE: "healthcareFacilityTypeCode",
    names.PRACTICE_CODE: "practiceSettingCode",
    names.CONFIDENTIALITY_CODE: "confidentialityCode",
    names.EVENT_CODE: "eventCodeList",
    names.CONTENT_TYPE_CODE: "contentTypeCode",
    names.FOLDER_CODE: "codeList",
    names.ASSOCIATION_DOCUMENTATION: "associationDocumentation",
}
_NAMED: Final = {
    **{attribute: attribute for attribute in _ATTRIBUTES.values()},
    "folderCodeList": "codeList",
    "folderCodeListCode": "codeList",
}


def read_code_sets(octets: bytes) -> CodeSets:
    """Return the code sets in a file; raises `msgspec.ValidationError` or `SoapFault` for none."""
    text = octets.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text.startswith(b"<"):
        return CodeSets.parse(text)
    root = envelope.parse(text)
    sets: dict[str, CodeSet] = {}
    for kind in root.iter("CodeType"):
        scheme = kind.get("classScheme", "").strip().lower()
        attribute = _ATTRIBUTES.get(scheme) or _NAMED.get(kind.get("name", "").strip())
        codes = tuple(map(_code, kind.iterfind("Code")))
        if attribute is not None and codes:
            known = sets[attribute].codes if attribute in sets else ()
            sets[attribute] = CodeSet(codes=(*known, *codes))
    return CodeSets(sets, name="codes.xml")


def _code(element: etree._Element) -> AllowedCode:
    return AllowedCode(
        code=element.get("code", "").strip(),
        scheme=element.get("codingScheme", "").strip(),
        display=element.get("display", ""),
    )
