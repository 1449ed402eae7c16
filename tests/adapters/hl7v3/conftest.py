"""PIXV3 and PDQV3 behind a real socket, on each engine."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from fastapi import FastAPI

from adapters.hl7v3.endpoint import Hl7V3Parts, build_router
from adapters.hl7v3.open_queries import OpenQueries
from adapters.storage.local import LocalBlobStore
from projections.audit_trail.projection import SPEC as AUDIT_TRAIL
from projections.patient_index.projection import SPEC as PATIENT_INDEX
from projections.patient_index.view import PatientIndex
from registry.patients.values import IdentityDomain, IdentityDomains
from tests.support.installation import installation, on_own_schema
from tests.support.serving import serving
from tests.support.soap import SoapClient
from workflows.receive_identity_feed import IdentityFeed

AFFINITY, WARD = "1.2.250.99.1", "1.2.250.99.7"
DOMAINS = IdentityDomains(IdentityDomain(AFFINITY, "HOSP"), (IdentityDomain(WARD, "WARD"),))


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def address(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[str]:
    folder = tmp_path_factory.mktemp("hl7v3")
    engine = on_own_schema(request)
    specs = [PATIENT_INDEX, AUDIT_TRAIL]
    with installation(folder, specs, loopback_system=True, **engine) as place:
        index = PatientIndex(place.views)
        queries = (
            OpenQueries.postgres(engine["dsn"], engine["schema"])
            if engine
            else OpenQueries.sqlite(str(folder / "open.sqlite"))
        )
        queries.create()
        app = FastAPI(openapi_url=None)
        app.include_router(
            build_router(
                Hl7V3Parts(
                    guard=place.guard,
                    feed=IdentityFeed(place.facts, place.keys, AFFINITY),
                    cross_references=index,
                    persons=index,
                    open_queries=queries,
                    domains=DOMAINS,
                    device="2.25.1",
                    store=LocalBlobStore(folder / "hot"),
                )
            )
        )
        with serving(app) as made:
            yield made
        queries.close()


@pytest.fixture
def client(address: str) -> Generator[SoapClient]:
    made = SoapClient(address)
    yield made
    made.close()
