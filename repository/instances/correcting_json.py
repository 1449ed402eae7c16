"""The metadata of an instance (DICOM JSON) as its corrected header tells them.

Implements PS3.18 F (DICOM JSON Model) of PS3.3 C.12.1.1.9. Called by WADO-RS metadata when a
correction applies; says the same as `correcting.correct` and `dicom_json.to_json` say together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from repository.instances.correcting import LENGTH_TO_END, Changes, plan
from repository.instances.recoding import UNICODE

_ORIGINAL_ATTRIBUTES: Final = "04000561"
_MODIFIED_ATTRIBUTES: Final = "04000550"
_CHARACTER_SET: Final = "00080005"
_STUDY: Final = "0020000D"
_SERIES: Final = "0020000E"
_Members: TypeAlias = "dict[str, msgspec.Raw]"
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_value: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


def corrected_object(stored: bytes, changes: Changes) -> bytes:
    """Return the metadata of one instance with the changes that make a difference."""
    members = _members(stored)
    told = {name: _value(members[name]) for name in changes if name in members}
    todo = plan(
        told, changes, "\\".join(str(term or "") for term in _values(members, _CHARACTER_SET))
    )
    if todo is None:
        return stored
    changed: dict[str, Any] = {f"{tag:08X}": member for tag, member in todo.members.items()}
    held = _values(members, _ORIGINAL_ATTRIBUTES)
    previous = {
        name: _moved(told.get(name) or {"vr": member["vr"]}, name, len(held))
        for name, member in sorted(changed.items())
    }
    item = {_MODIFIED_ATTRIBUTES: {"vr": "SQ", "Value": [previous]}, **todo.modification}
    new = {
        **members,
        **{name: _told(member) for name, member in changed.items()},
        _ORIGINAL_ATTRIBUTES: _told({"vr": "SQ", "Value": [*held, item]}),
    }
    new.pop(f"{LENGTH_TO_END:08X}", None)
    if todo.recoded:
        new[_CHARACTER_SET] = _told({"vr": "CS", "Value": [UNICODE]})
    body = b"{" + b",".join(b'"%s":%s' % (k.encode(), bytes(new[k])) for k in sorted(new)) + b"}"
    if changed.keys() & {_STUDY, _SERIES}:
        body = body.replace(_path(members), _path(new))
    return body


def _told(member: Mapping[str, Any]) -> msgspec.Raw:
    values = list(member.get("Value", ()))
    told = {"vr": member["vr"], **({"Value": values} if values else {})}
    if "InlineBinary" in member:
        told["InlineBinary"] = member["InlineBinary"]
    return msgspec.Raw(_encode(told))


def _moved(member: Mapping[str, Any], name: str, number: int) -> Mapping[str, Any]:
    """Return a previous value whose bulk data lie deeper now."""
    if "BulkDataURI" not in member:
        return member
    uri = str(member["BulkDataURI"]).removesuffix(f"/{name}")
    path = f"{_ORIGINAL_ATTRIBUTES}/{number}/{_MODIFIED_ATTRIBUTES}/0/{name}"
    return {**member, "BulkDataURI": f"{uri}/{path}"}


def _path(members: _Members) -> bytes:
    """Return the path that the bulk data of the instance lie under."""
    study, series = _first(members, _STUDY), _first(members, _SERIES)
    return f"/studies/{study}/series/{series}/instances/".encode()


def _values(members: _Members, name: str) -> list[Any]:
    raw = members.get(name)
    found: list[Any] = [] if raw is None else _value(raw).get("Value", [])
    return found


def _first(members: _Members, name: str) -> Any:
    return next(iter(_values(members, name)), "")
