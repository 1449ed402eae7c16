"""Another community, scripted behind a real socket, and a consumer of gateways (XCA).

ITI TF-2 3.38, 3.39. Called by the tests of the gateways in adapters/xds.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

import uvicorn
from fastapi import FastAPI

import schemas
from adapters.soap.door import Answer, Call, SoapPort, build_soap_router
from adapters.soap.exchange import Part
from adapters.soap.multipart import Limits
from adapters.soap.names import XOP
from adapters.storage.local import LocalBlobStore
from adapters.xds import names
from kernel.identifiers import new_uid
from registry.access.values import Subject
from registry.documents.values import DocumentEntry
from tests.support import xds
from tests.support.soap import Answer as Told
from tests.support.soap import SoapClient, included
from tests.support.submissions import PATIENT, entry, submission
from tests.support.xds_node import provide, without_octets

OURS: Final = "urn:oid:1.2.250.99.10"
THEIRS: Final = "urn:oid:1.2.250.99.20"
AWAY: Final = "urn:oid:1.2.250.99.30"
NOWHERE: Final = "urn:oid:1.2.250.99.40"
THEIR_AUTHORITY: Final = "1.2.250.99.21"
THEIR_REPOSITORY: Final = "1.2.250.99.22"
GET_DOCUMENTS: Final = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
PARTIAL: Final = names.PARTIAL_SUCCESS
FIND: Final = {
    "$XDSDocumentEntryPatientId": f"'{PATIENT}'",
    "$XDSDocumentEntryStatus": f"('{xds.APPROVED}')",
}


@dataclass
class Elsewhere:
    """Another community: what it was asked and what it answers."""

    store: LocalBlobStore
    query: Callable[[Call], Answer] = lambda _call: found()
    retrieve: Callable[[Call], Answer] = lambda _call: retrieved()
    asked: list[Call] = field(default_factory=list)
    url: str = ""

    def http_subject(self, _request: object) -> Subject:
        return Subject("other", "system", frozenset(), "127.0.0.1")


def found(*objects: str, errors: str = "", status: str = names.SUCCESS) -> Answer:
    return Answer(
        f'<q:AdhocQueryResponse xmlns:q="{names.QUERY}" xmlns:r="{names.RS}" xmlns="{names.RIM}" '
        f'status="{status}">{errors}<RegistryObjectList>{"".join(objects)}</RegistryObjectList>'
        "</q:AdhocQueryResponse>"
    )


def error(code: str, location: str = "", severity: str = names.ERROR) -> str:
    where = f' location="{location}"' if location else ""
    return (
        f'<r:RegistryErrorList><r:RegistryError errorCode="{code}" codeContext="why" '
        f'severity="{severity}"{where}/></r:RegistryErrorList>'
    )


def theirs(home: str = THEIRS) -> str:
    told = f' home="{home}"' if home else ""
    return f'<ExtrinsicObject id="urn:uuid:4f0a8b6e-1111-4222-8333-444455556666"{told} mimeType="text/plain"/>'


def retrieved(*documents: str, parts: tuple[Part, ...] = (), status: str = names.SUCCESS) -> Answer:
    return Answer(
        f'<x:RetrieveDocumentSetResponse xmlns:x="{names.XDSB}" xmlns:r="{names.RS}">'
        f'<r:RegistryResponse status="{status}"/>{"".join(documents)}'
        "</x:RetrieveDocumentSetResponse>",
        parts,
        mtom=True,
    )


def document(unique_id: str, cid: str, home: str = THEIRS) -> str:
    told = f"<x:HomeCommunityId>{home}</x:HomeCommunityId>" if home else ""
    return (
        f"<x:DocumentResponse>{told}<x:RepositoryUniqueId>{THEIR_REPOSITORY}</x:RepositoryUniqueId>"
        f"<x:DocumentUniqueId>{unique_id}</x:DocumentUniqueId><x:mimeType>text/plain</x:mimeType>"
        f'<x:Document><i:Include xmlns:i="{XOP}" href="cid:{cid}"/></x:Document>'
        "</x:DocumentResponse>"
    )


@contextmanager
def elsewhere(folder: Path) -> Generator[Elsewhere]:
    """Run another community."""
    made = Elsewhere(LocalBlobStore(folder))

    def asked(call: Call, which: str) -> Answer:
        made.asked.append(call)
        return getattr(made, which)(call)

    wsdl = schemas.path("xds/registry.wsdl")
    both = (
        SoapPort("/q", wsdl, {names.ITI_38: lambda call: asked(call, "query")}, {}),
        SoapPort("/r", wsdl, {names.ITI_39: lambda call: asked(call, "retrieve")}, {}),
    )
    app = FastAPI(openapi_url=None)
    app.include_router(build_soap_router(both, made, made.store, Limits()))
    listener = socket.create_server(("127.0.0.1", 0))
    made.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield made
    server.should_exit = True
    thread.join(10)


def ask(
    client: SoapClient, query: str, parameters: dict[str, str], *, home: str = "",
    action: str = names.ITI_18, returned: str = "LeafClass",
) -> Told:  # fmt: skip
    slots = "".join(
        f'<rim:Slot name="{name}"><rim:ValueList><rim:Value>{escape(value)}</rim:Value></rim:ValueList>'
        "</rim:Slot>"
        for name, value in parameters.items()
    )
    told = f' home="{home}"' if home else ""
    return client.call(
        "/xca/query", action,
        f'<query:AdhocQueryRequest xmlns:query="{names.QUERY}" xmlns:rim="{names.RIM}">'
        f'<query:ResponseOption returnType="{returned}" returnComposedObjects="true"/>'
        f'<rim:AdhocQuery id="{query}"{told}>{slots}</rim:AdhocQuery></query:AdhocQueryRequest>',
    )  # fmt: skip


def fetch(client: SoapClient, *wanted: tuple[str, str, str], action: str = names.ITI_43) -> Told:
    requests = "".join(
        "<x:DocumentRequest>"
        + (f"<x:HomeCommunityId>{home}</x:HomeCommunityId>" if home else "")
        + f"<x:RepositoryUniqueId>{repository}</x:RepositoryUniqueId>"
        f"<x:DocumentUniqueId>{unique_id}</x:DocumentUniqueId></x:DocumentRequest>"
        for home, repository, unique_id in wanted
    )
    body = f'<x:RetrieveDocumentSetRequest xmlns:x="{names.XDSB}">{requests}</x:RetrieveDocumentSetRequest>'
    return client.call("/xca/retrieve", action, body, mtom=True)


def errors(answer: Told) -> list[tuple[str, str]]:
    return [
        (str(e.get("errorCode")), str(e.get("location")))
        for e in answer.body.iterfind(".//rs:RegistryError", xds.NAMES)
    ]


def homes(answer: Told) -> set[str]:
    return {str(one.get("home")) for one in xds.objects(answer)}


def retrieve_status(answer: Told) -> str:
    told = answer.body.find("rs:RegistryResponse", xds.NAMES)
    assert told is not None
    return str(told.get("status"))


def documents(answer: Told) -> dict[tuple[str, str], bytes]:
    return {
        (
            one.findtext("xds:HomeCommunityId", "", xds.NAMES),
            one.findtext("xds:DocumentUniqueId", "", xds.NAMES),
        ): included(one.find("xds:Document", xds.NAMES), answer.parts)
        for one in answer.body.iterfind("xds:DocumentResponse", xds.NAMES)
    }


def published(client: SoapClient, content: bytes = b"ours") -> DocumentEntry:
    made = entry(content=content, unique_id=new_uid())
    told = provide(client, submission(without_octets(made)), {made.entry_uuid: content})
    assert xds.status(told) == xds.SUCCESS, told.text()
    return made
