"""Registry and repository of XDS behind a real socket, made of the real parts.

Design C (tests/support). Called by the tests of adapters/xds and of the conformance tables.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import uvicorn
from fastapi import FastAPI

import schemas
from adapters.soap.multipart import Limits
from adapters.soap.replies import Replies
from adapters.storage.local import LocalBlobStore
from adapters.xds import encode
from adapters.xds.communities import Communities
from adapters.xds.endpoint import XdsParts, build_router
from kernel.identifiers import PatientId
from kernel.ledger.ports import Append, StreamAppend
from projections.document_index.held import HeldDocuments
from projections.document_index.view import DocumentIndex
from projections.study_index.view import StudyIndex
from registry.documents.code_sets import CodeSets
from registry.documents.commands import Rules
from registry.documents.values import DocumentEntry, Submission
from registry.patients.events import PatientIdentified
from tests.support.installation import Installation
from tests.support.soap import XOP, Answer, SoapClient
from tests.support.submissions import OTHER_PATIENT, PATIENT, REPOSITORY
from tests.support.xds import ITI41, XDS
from workflows.generate_on_demand import GenerateOnDemand, OnDemandPolicy
from workflows.provide_and_register import ProvideAndRegister
from workflows.register_documents import RegisterDocuments
from workflows.register_on_demand import RegisterOnDemand
from workflows.remove_documents import RemoveDocuments
from workflows.remove_metadata import RemoveMetadata
from workflows.summarise_imaging import ImagingSummary
from workflows.update_documents import UpdateDocuments

MAX_RESULTS = 120
"""Objects of one answer; more than the tests together give one patient."""
LIMITS = Limits(root_bytes=1 << 20, part_bytes=4 << 20, parts=20, total_bytes=16 << 20)


@dataclass
class Node:
    """A running registry and repository."""

    place: Installation
    store: LocalBlobStore
    folder: Path
    index: DocumentIndex
    register: RegisterDocuments
    provide: ProvideAndRegister
    http: str = ""

    def identify(self, patient_id: str) -> None:
        """Feed a patient."""
        key = self.place.keys.key(PatientId.parse(patient_id))
        fact = PatientIdentified(patient_key=key, origin="feed", patient_id=patient_id)
        self.place.facts.append(Append((StreamAppend(key, (fact,), None, key),)))

    def stored(self) -> list[str]:
        """Return the keys of all objects in the store."""
        return sorted(p.name for p in (self.folder / "objects").rglob("*") if p.is_file())

    def incoming(self) -> list[Path]:
        """Return what lies half received."""
        return [
            p for p in (self.folder / "incoming").rglob("*") if p.is_file() and p.name != ".lock"
        ]


def make(folder: Path, place: Installation) -> Node:
    store = LocalBlobStore(folder / "hot")
    code_sets = CodeSets.parse(schemas.path("codes/affinity-domain.json").read_bytes())
    register = RegisterDocuments(place.facts, place.keys, rules=Rules(code_sets))
    provide = ProvideAndRegister(register, repository_oid=REPOSITORY, tier=store.tier)
    node = Node(place, store, folder / "hot", DocumentIndex(place.views), register, provide)
    for patient_id in (PATIENT, OTHER_PATIENT):
        node.identify(patient_id)
    return node


def on_demand_and_removal(node: Node) -> dict[str, Any]:
    """Return the workflows of ITI-61, 62 and 86, and the generator behind ITI-43."""
    place, oid = node.place, node.provide.repository_oid
    generate = GenerateOnDemand(
        node.index,
        node.register,
        node.store,
        ImagingSummary(StudyIndex(place.views), node.index),
        policy=OnDemandPolicy(oid),
    )
    return {
        "register_on_demand": RegisterOnDemand(
            node.register, repository_oid=oid, mime_types=generate.mime_types
        ),
        "generate_on_demand": generate,
        "remove_metadata": RemoveMetadata(place.facts, node.index),
        "update": UpdateDocuments(place.facts, node.index, node.register),
        "remove_documents": RemoveDocuments(
            place.facts, HeldDocuments(place.views), node.index, repository_oid=oid
        ),
    }


def serve(
    node: Node, communities: Communities | None = None, replies: Replies | None = None
) -> tuple[uvicorn.Server, threading.Thread]:
    app = FastAPI(openapi_url=None)
    app.include_router(
        build_router(
            XdsParts(
                guard=node.place.guard,
                register=node.register,
                provide=node.provide,
                index=node.index,
                store=node.store,
                patient_keys=node.place.keys,
                **on_demand_and_removal(node),
                limits=LIMITS,
                max_results=MAX_RESULTS,
                communities=communities,
                replies=replies,
            )
        )
    )
    listener = socket.create_server(("127.0.0.1", 0))
    node.http = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    return server, thread


ITI42 = "urn:ihe:iti:2007:RegisterDocumentSet-b"


def register(client: SoapClient, asked: Submission) -> Answer:
    """Send ITI-42."""
    return client.call("/xds/registry", ITI42, encode.submit_request(asked))


def provide(client: SoapClient, asked: Submission, contents: Mapping[UUID, bytes]) -> Answer:
    """Send ITI-41 with these documents, each in a part of its own."""
    cids = {uuid: f"{uuid}@test" for uuid in contents}
    documents = "".join(
        f'<xds:Document id="urn:uuid:{uuid}"><xop:Include xmlns:xop="{XOP}" '
        f'href="cid:{cid.replace("@", "%40")}"/></xds:Document>'
        for uuid, cid in cids.items()
    )
    return client.call(
        "/xds/repository", ITI41, provide_body(asked, documents),
        {cids[uuid]: content for uuid, content in contents.items()}, mtom=True,
    )  # fmt: skip


def provide_body(asked: Submission, documents: str) -> str:
    """Return the body of ITI-41 around Document elements."""
    return (
        f'<xds:ProvideAndRegisterDocumentSetRequest xmlns:xds="{XDS}">'
        f"{encode.submit_request(asked)}{documents}</xds:ProvideAndRegisterDocumentSetRequest>"
    )


def without_octets(document: DocumentEntry) -> DocumentEntry:
    """Return a DocumentEntry as a source sends it: the repository will describe the octets."""
    return msgspec.structs.replace(document, hash="", size=None, repository_unique_id="")
