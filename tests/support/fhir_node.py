"""The FHIR face behind a real socket, made of the real parts.

Design C (tests/support). Called by the tests of adapters/fhir.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from zoneinfo import ZoneInfo

import uvicorn

from adapters.fhir.endpoint import FhirR4
from adapters.fhir.interaction import FhirRooms, Limits
from projections.patient_index.view import PatientIndex
from projections.permissions.policy import clause
from projections.study_index.view import StudyIndex
from tests.support.submissions import AUTHORITY, REPOSITORY
from tests.support.xds_node import Node
from workflows.generate_on_demand import GenerateOnDemand, OnDemandPolicy
from workflows.summarise_imaging import ImagingSummary

OTHER_AUTHORITY = "1.2.250.99.7"


def rooms(node: Node) -> FhirRooms:
    """Return the rooms of the FHIR face of a node."""
    return FhirRooms(
        guard=node.place.guard,
        register=node.register,
        provide=node.provide,
        generate=GenerateOnDemand(
            node.index,
            node.register,
            node.store,
            ImagingSummary(StudyIndex(node.place.views), node.index),
            policy=OnDemandPolicy(REPOSITORY),
        ),
        documents=node.index,
        patients=PatientIndex(node.place.views),
        studies=StudyIndex(node.place.views),
        blobs=node.store,
        patient_keys=node.place.keys,
        clause=clause,
        repository_oid=REPOSITORY,
        source_oid="1.2.250.99.3",
        authorities=(AUTHORITY, OTHER_AUTHORITY),
        zone=ZoneInfo("Asia/Shanghai"),
        limits=Limits(body_octets=4 << 20),
    )


@contextmanager
def serving(node: Node) -> Generator[str]:
    """Serve the FHIR face of a node on a free port and give its address."""
    with ThreadPoolExecutor(4, "fhir") as threads:
        listener = socket.create_server(("127.0.0.1", 0))
        app = FhirR4(rooms(node), threads)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
