"""A DICOMweb server on a real socket, and the clients that talk to it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest
import uvicorn
from dicomweb_client import DICOMwebClient
from requests import Session

from adapters.dicomweb.archive import Archive, CommitmentRooms, Limits, WorklistRooms
from adapters.dicomweb.endpoint import DicomWeb
from projections.commitments.view import Commitments
from projections.permissions.policy import clause
from projections.workitems.view import Workitems
from registry.commitments.values import Retrying
from registry.workitems.values import Patience
from tests.support.archive import AUTHORITY
from tests.support.imaging import imaging
from workflows.commit_to_storage import StorageCommitment
from workflows.identify_patient import PatientPolicy
from workflows.perform_workitems import PerformWorkitems
from workflows.report_workitems import WorkitemReports


class Door:
    """A running server with what stands behind it."""

    def __init__(self, made, server, port):
        self.imaging = made
        self.server = server
        self.base = f"http://127.0.0.1:{port}"
        self.token = made.house.token("system")
        self.http = self.client(self.token)
        session = Session()
        session.headers["Authorization"] = f"Bearer {self.token}"
        self.dicomweb = DICOMwebClient(f"{self.base}/dicom-web", session=session)

    def client(self, token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.base + "/dicom-web", headers=headers, timeout=30)

    def accesses(self):
        """Every access event so far, oldest first."""
        return [r.fact for r in self.imaging.house.access.read(0, 10_000)]


def worklist(made):
    house = made.house
    perform = PerformWorkitems(house.facts, house.keys, PatientPolicy(AUTHORITY))
    view = Workitems(house.views)
    patience = Patience(timedelta(0), timedelta(0), timedelta(hours=1))
    reports = WorkitemReports(house.facts, view, patience=patience)
    return WorklistRooms(perform, view, reports)


def commitments(made):
    queue = Commitments(made.house.views)
    retrying = Retrying(timedelta(0), timedelta(0), timedelta(hours=1))
    commits = StorageCommitment(
        made.house.facts, queue, made.storage, made.blobs, retrying=retrying
    )
    return CommitmentRooms(commits, queue)


@contextmanager
def running(made, *, pictures=None, **limits):
    threads, renderers = ThreadPoolExecutor(8), ThreadPoolExecutor(2)
    archive = Archive(
        blobs=made.blobs,
        stored=made.stored,
        index=made.index,
        searches=made.searches,
        storage=made.storage,
        intake=made.intake,
        guard=made.house.guard,
        clause=clause,
        threads=threads,
        renderers=renderers,
        limits=Limits(**limits),
        pictures=pictures,
        worklist=worklist(made),
        commitments=commitments(made),
    )
    config = uvicorn.Config(
        DicomWeb(archive), host="127.0.0.1", port=0, log_level="error", lifespan="off", ws="wsproto"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield server, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        threads.shutdown()
        renderers.shutdown()


@pytest.fixture
def door(tmp_path):
    with imaging(tmp_path) as made, running(made) as (server, port):
        yield Door(made, server, port)


@pytest.fixture
def small_door(tmp_path):
    """A server with narrow limits."""
    with (
        imaging(tmp_path) as made,
        running(
            made, request_octets=200_000, part_octets=50_000, parts=4, results=2, renderings=0
        ) as (server, port),
    ):
        yield Door(made, server, port)
