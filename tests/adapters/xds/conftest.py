"""Registry and repository behind a real socket, on each engine."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from adapters.storage.local import LocalBlobStore
from projections.audit_trail.projection import SPEC as AUDIT_TRAIL
from projections.document_index.projection import SPEC as DOCUMENT_INDEX
from projections.study_index import projection as study_index
from repository.instances.stored import StoredInstances
from tests.support.broker_door import Place, broker_door
from tests.support.installation import installation, on_own_schema
from tests.support.soap import SoapClient
from tests.support.xds_node import Node, make, serve


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Node]:
    folder = tmp_path_factory.mktemp("xds")
    engine = on_own_schema(request)
    stored = StoredInstances(LocalBlobStore(folder / "hot"))
    specs = [DOCUMENT_INDEX, AUDIT_TRAIL, study_index.spec(stored)]
    with installation(folder, specs, **engine, loopback_system=True) as place:
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


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Place]:
    """A notification broker behind a socket."""
    with broker_door(tmp_path_factory.mktemp("dsub"), **on_own_schema(request)) as made:
        yield made


@pytest.fixture
def subscriber(place: Place) -> SoapClient:
    return place.client()


@pytest.fixture
def patient(place: Place) -> str:
    """A patient of the test's own, so that the others' subscriptions stay silent."""
    return place.patient()
