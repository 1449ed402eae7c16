"""What tests of updates ask a registry and expect of its answers.

ITI TF-2 3.18, 3.42 and 3.57 over a socket. Called by tests of adapters/xds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from lxml import etree

from adapters.xds import names
from registry.documents.values import DocumentEntry, Folder
from tests.support import xds
from tests.support.soap import Answer, SoapClient
from tests.support.submissions import submission
from tests.support.xds_node import register

GET_DOCUMENTS: Final = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
GET_FOLDERS: Final = "urn:uuid:5737b14c-8a1a-4539-b659-e03a34a5e1e4"
LEVEL_TWO: Final = {"$MetadataLevel": "2"}
OFFLINE: Final = "urn:ihe:iti:2010:DocumentAvailability:Offline"


def done(answer: Answer) -> Answer:
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    return answer


def failed(answer: Answer, code: str) -> None:
    assert xds.status(answer) == names.FAILURE, answer.text()
    assert xds.errors(answer) == [code]


def registered(client: SoapClient, *things: Any, **more: Any) -> None:
    done(register(client, submission(*things, **more)))


def asked(
    client: SoapClient, query: str, parameters: Mapping[str, str], **more: Any
) -> list[etree._Element]:
    return xds.objects(done(xds.stored_query(client, query, parameters, **more)))


def uuids(found: list[etree._Element]) -> set[str]:
    return {str(one.get("id")) for one in found}


def urns(*things: DocumentEntry | Folder) -> set[str]:
    return {f"urn:uuid:{thing.entry_uuid}" for thing in things}


def versions(client: SoapClient, logical_id: UUID, query: str = GET_DOCUMENTS) -> dict[str, Any]:
    kind = "DocumentEntry" if query == GET_DOCUMENTS else "Folder"
    found = asked(
        client, query, {f"$XDS{kind}LogicalID": f"('urn:uuid:{logical_id}')", **LEVEL_TWO}
    )
    return {one.find("rim:VersionInfo", xds.NAMES).get("versionName"): one for one in found}
