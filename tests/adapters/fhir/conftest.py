"""The FHIR face behind a real socket, on each engine."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from projections.audit_trail.projection import SPEC as AUDIT_TRAIL
from projections.document_index.projection import SPEC as DOCUMENT_INDEX
from projections.patient_index.projection import SPEC as PATIENT_INDEX
from projections.study_index.projection import spec as study_index
from repository.instances.stored import StoredInstances
from tests.support.fhir import Client
from tests.support.fhir_node import serving
from tests.support.installation import installation, on_own_schema
from tests.support.xds_node import Node, make


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Node]:
    folder = tmp_path_factory.mktemp("fhir")
    engine = on_own_schema(request)
    studies = study_index(StoredInstances(None))
    specs = [DOCUMENT_INDEX, PATIENT_INDEX, AUDIT_TRAIL, studies]
    with installation(folder, specs, **engine, loopback_system=True) as place:
        made = make(folder, place)
        with serving(made) as made.http:
            yield made


@pytest.fixture
def client(node: Node) -> Client:
    return Client(node.http)
