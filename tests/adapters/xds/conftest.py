"""Registry and repository behind a real socket, on each engine."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from adapters.storage.local import LocalBlobStore
from projections.audit_trail.projection import SPEC as AUDIT_TRAIL
from projections.document_index.projection import SPEC as DOCUMENT_INDEX
from projections.study_index import projection as study_index
from repository.instances.stored import StoredInstances
from tests.support.installation import installation
from tests.support.soap import SoapClient
from tests.support.xds_node import Node, make, serve


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Node]:
    folder = tmp_path_factory.mktemp("xds")
    dsn, schema = None, ""
    if request.param == "postgresql":
        dsn, schema = request.getfixturevalue("postgres_dsn"), "test_xds"
    stored = StoredInstances(LocalBlobStore(folder / "hot"))
    specs = [DOCUMENT_INDEX, AUDIT_TRAIL, study_index.spec(stored)]
    with installation(folder, specs, dsn=dsn, schema=schema, loopback_system=True) as place:
        made = make(folder, place)
        server, thread = serve(made)
        yield made
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def client(node: Node) -> Generator[SoapClient]:
    made = SoapClient(node.http)
    yield made
    made.close()
