"""Check a message against its schema before anything reads it.

Implements the schema validity that ITI TF-2 Appendix V.3 asks of every message; schemas are
compiled once a thread. Called by `decode.py`, which says what an invalid message is refused as.
"""

from __future__ import annotations

import re
import threading
from typing import Any, Final, cast

from lxml import etree

import schemas
from adapters.soap.faults import SoapFault

SCHEMA_NAMES: Final = (
    "xml.xsd",
    "rim.xsd",
    "rs.xsd",
    "lcm.xsd",
    "query.xsd",
    "xds-b.xsd",
    "rmd.xsd",
)
_NAMED: Final = re.compile(r"Element '(?:\{[^}]*\})?([\w.-]+)'(?:, attribute '([\w:.-]+)')?")
_TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"
_local: Final = threading.local()


def validate(element: etree._Element, schema_name: str) -> None:
    """Raise SoapFault unless `element` is valid by `schemas/xds/<schema_name>`."""
    wrong = complaint(element, schema_name)
    if wrong:
        raise SoapFault(wrong)


def complaint(element: etree._Element, schema_name: str) -> str:
    """Return why `element` is not valid by `schemas/xds/<schema_name>`; empty when it is."""
    schema = _schema(schema_name)
    if schema.validate(element) or (_untyped(element) and schema.validate(element)):
        return ""
    # Only where and which rule: the validator's own text may quote a value.
    first = cast("Any", schema.error_log)[0]
    named = _NAMED.match(first.message)
    where = "" if named is None else named[1] + (f"@{named[2]}" if named[2] else "")
    return (
        f"the message is not valid by {schema_name}: {where} (line {first.line}, "
        f"{first.type_name.lower().removeprefix('schemav_')})"
    )


def _untyped(element: etree._Element) -> bool:
    """Take away `xsi:type`, which names the types of somebody else's schema; tell whether any."""
    typed = [e for e in element.iter() if _TYPE in e.attrib]
    for one in typed:
        del one.attrib[_TYPE]
    return bool(typed)


def _schema(name: str) -> etree.XMLSchema:
    # A compiled schema keeps its error log: each thread has its own.
    compiled: dict[str, etree.XMLSchema] = _local.__dict__.setdefault("compiled", {})
    if name not in compiled:
        compiled[name] = etree.XMLSchema(etree.parse(str(schemas.path(f"xds/{name}"))))
    return compiled[name]
