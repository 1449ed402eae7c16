"""A notification broker behind a socket on each engine, and a patient for each test."""

from __future__ import annotations

from collections.abc import Generator
from uuid import uuid4

import pytest

from tests.support.broker_door import Place, broker_door
from tests.support.soap import SoapClient


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Place]:
    engine = {}
    if request.param == "postgresql":
        dsn = request.getfixturevalue("postgres_dsn")
        engine = {"dsn": dsn, "schema": f"test_dsub_{uuid4().hex[:8]}"}
    with broker_door(tmp_path_factory.mktemp("dsub"), **engine) as made:
        yield made


@pytest.fixture
def client(place: Place) -> SoapClient:
    return place.client()


@pytest.fixture
def patient(place: Place) -> str:
    """A patient of the test's own, so that the others' subscriptions stay silent."""
    return place.patient()
