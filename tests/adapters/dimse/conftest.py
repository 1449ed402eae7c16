"""An archive and a receiver for it."""

import pytest
from pynetdicom.association import Association

from kernel.context import Envelope
from tests.support.archive import OpenGuard, instance, octets, open_archive
from tests.support.dimse import Receiver, quick


@pytest.fixture(autouse=True, scope="session")
def _answers_reach_who_waits():
    """Mend a race of pynetdicom's requestor, which a receiver in the same process can win.

    Its reactor thread says that it pauses, does not yet, and may take the answer that the
    sender waits for; the answer goes back to the queue, where the sender finds it.
    """
    serve_request = Association._serve_request

    def not_answers(self, msg, context_id):
        if self.is_requestor and not msg.is_valid_request:
            self.dimse.msg_queue.put((context_id, msg))
        else:
            serve_request(self, msg, context_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Association, "_serve_request", not_answers)
        yield


@pytest.fixture
def archive(tmp_path):
    made = open_archive(tmp_path / "archive")
    yield made
    made.close()


@pytest.fixture
def guard():
    return OpenGuard()


@pytest.fixture
def serve(receive, archive):
    """Return a function that starts a receiver with its views."""
    return lambda **parts: receive(
        study_index=archive.views.searches, storage_map=archive.views.map, **parts
    )


@pytest.fixture
def receive(archive, guard):
    """Return a function that starts a receiver; all are stopped at the end."""
    started = []

    def start(**parts):
        parts = {
            "intake": archive.intake,
            "blobs": archive.blobs,
            "guard": guard,
            "limits": quick(),
            **parts,
        }
        if "study_index" not in parts:
            # Tests of storage need no views.
            parts |= {"study_index": None, "storage_map": None}
        started.append(Receiver(**parts))
        return started[-1]

    yield start
    for receiver in started:
        receiver.stop()


CHINESE = {"PatientName": "Wang^Xiaoming=王^小明", "PatientID": "PAT-C", "StudyDescription": "胸部"}


@pytest.fixture
def filled(archive):
    """Two studies of one patient, one of another with a Chinese name."""
    sets = [
        *[instance(n, study="A", series=str(1 + n // 3)) for n in range(6)],
        *[instance(n, study="B", PatientID="PAT-A", StudyDate="20250101") for n in range(2)],
        *[instance(n, study="C", Modality="MR", **CHINESE) for n in range(2)],
    ]
    archive.intake.store_many([archive.offer(octets(ds)) for ds in sets], Envelope())
    return {ds.SOPInstanceUID: ds for ds in sets}
