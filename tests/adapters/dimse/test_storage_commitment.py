"""Storage commitment over sockets: what is asked, what is told, to peers that behave and that do not.

PS3.4 J; the requester is pynetdicom.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, MRImageStorage, generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification

from adapters.dimse.n_event_report import CommitmentReport
from kernel.context import Envelope
from kernel.refusals import Unavailable
from projections.commitments.view import Commitments
from registry.commitments import events as facts
from registry.commitments.values import Retrying
from tests.support.archive import instance, octets
from tests.support.dimse import quick
from tests.support.peers import free_port
from workflows.commit_to_storage import StorageCommitment
from workflows.report_commitments import CommitmentReporter

INSTANCE = "1.2.840.10008.1.20.1.1"
RETRYING = Retrying(timedelta(0), timedelta(0), timedelta(hours=1))


class Requester:
    """A modality that asks for commitment and listens for reports on the same association."""

    def __init__(self, status=0x0000):
        self.reports = []
        self.status = status
        self.told = threading.Event()

    def handle(self, event):
        self.reports.append((event.event_type, event.event_information))
        self.told.set()
        return self.status, None

    @contextmanager
    def associated(self, port, title="CT1"):
        ae = AE(title)
        ae.add_requested_context(StorageCommitmentPushModel)
        ae.add_requested_context(Verification)
        assoc = ae.associate(
            "127.0.0.1", port, ae_title="PIANKU",
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, self.handle)],
        )  # fmt: skip
        assert assoc.is_established
        try:
            yield assoc
        finally:
            assoc.release()

    @contextmanager
    def listening(self, port, title="CT1"):
        ae = AE(title)
        ae.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
        server = ae.start_server(
            ("127.0.0.1", port), block=False,
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, self.handle)],
        )  # fmt: skip
        try:
            yield
        finally:
            server.shutdown()


def request(*references, transaction=None):
    ds = Dataset()
    ds.TransactionUID = transaction or generate_uid()
    ds.ReferencedSOPSequence = []
    for sop_class, sop_uid in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_uid
        ds.ReferencedSOPSequence.append(item)
    return ds


def ask(assoc, ds, *, action=1, instance_uid=INSTANCE):
    status, _ = assoc.send_n_action(ds, action, StorageCommitmentPushModel, instance_uid)
    return status.Status


@pytest.fixture
def commits(archive):
    queue = Commitments(archive.views.database)
    return StorageCommitment(
        archive.ledger, queue, archive.views.map, archive.blobs, retrying=RETRYING
    )


@pytest.fixture
def held(archive):
    ds = instance(1)
    archive.intake.store_many([archive.offer(octets(ds))], Envelope())
    return ds


def reporter(commits, guard):
    return CommitmentReporter(commits, guard, CommitmentReport("PIANKU", quick()))


def test_the_report_comes_on_the_same_association_when_no_address_is_known(
    serve, commits, held, archive
):
    port = serve(commits=commits).port
    peer = Requester()
    ds = request((CTImageStorage, held.SOPInstanceUID))
    with peer.associated(port) as assoc:
        assert ask(assoc, ds) == 0x0000
        assert peer.told.wait(10)
        kind, told = peer.reports[0]
        assert kind == 1
        assert told.TransactionUID == ds.TransactionUID
        assert told.RetrieveAETitle == "PIANKU"
        assert [i.ReferencedSOPInstanceUID for i in told.ReferencedSOPSequence] == [
            held.SOPInstanceUID
        ]
        assert "FailedSOPSequence" not in told
        # The association goes on.
        assert assoc.send_c_echo().Status == 0
    (reported,) = archive.facts(facts.CommitmentReported)
    assert reported.committed == 1


def test_what_is_not_stored_is_not_committed_and_why_is_said(serve, commits, held, archive):
    other = instance(2)
    archive.intake.store_many([archive.offer(octets(other))], Envelope())
    (sha256,) = [k for u, k in archive.stored().items() if u == other.SOPInstanceUID]
    archive.blobs.path(sha256).unlink()
    cut = instance(3)
    archive.intake.store_many([archive.offer(octets(cut))], Envelope())
    path = archive.blobs.path(archive.stored()[cut.SOPInstanceUID])
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-2])
    peer = Requester()
    ds = request(
        (CTImageStorage, held.SOPInstanceUID),
        (CTImageStorage, "1.2.3.4.5"),
        (MRImageStorage, held.SOPInstanceUID),
        (CTImageStorage, other.SOPInstanceUID),
        (CTImageStorage, cut.SOPInstanceUID),
    )
    with peer.associated(serve(commits=commits).port) as assoc:
        assert ask(assoc, ds) == 0x0000
        assert peer.told.wait(10)
    kind, told = peer.reports[0]
    assert kind == 2
    assert len(told.ReferencedSOPSequence) == 1
    assert [(i.ReferencedSOPInstanceUID, i.FailureReason) for i in told.FailedSOPSequence] == [
        ("1.2.3.4.5", 0x0112),
        (held.SOPInstanceUID, 0x0119),
        (other.SOPInstanceUID, 0x0112),
        (cut.SOPInstanceUID, 0x0110),
    ]


@pytest.mark.parametrize(
    ("fields", "status"), [({"action": 2}, 0x0123), ({"instance_uid": "1.2.3"}, 0x0112)]
)
def test_what_is_not_a_request_for_commitment_is_refused(serve, commits, fields, status):
    with Requester().associated(serve(commits=commits).port) as assoc:
        assert ask(assoc, request((CTImageStorage, "1.2.3")), **fields) == status


def test_another_class_and_a_ledger_that_is_away_have_words_of_their_own(
    serve, commits, archive, monkeypatch
):
    def away(_batch):
        raise Unavailable

    ds = request((CTImageStorage, "1.2.3"))
    with Requester().associated(serve(commits=commits).port) as assoc:
        meta = StorageCommitmentPushModel
        other, _ = assoc.send_n_action(ds, 1, CTImageStorage, INSTANCE, meta_uid=meta)
        assert other.Status == 0x0118
        monkeypatch.setattr(archive.ledger, "append", away)
        assert ask(assoc, ds) == 0x0213


def test_a_request_without_instances_or_transaction_is_refused(serve, commits, archive):
    empty = request((CTImageStorage, "1.2.3"))
    del empty.TransactionUID
    bad = request((CTImageStorage, "not a uid"))
    with Requester().associated(serve(commits=commits).port) as assoc:
        assert ask(assoc, request()) == 0x0115
        assert ask(assoc, empty) == 0x0115
        assert ask(assoc, bad) == 0x0115
    assert archive.facts(facts.CommitmentAsked) == []


def test_who_may_not_store_may_not_ask(serve, commits, guard):
    guard.denied = {"store"}
    with Requester().associated(serve(commits=commits).port) as assoc:
        assert ask(assoc, request((CTImageStorage, "1.2.3"))) == 0x0124


def test_the_same_transaction_for_other_instances_is_refused(serve, commits):
    peer = Requester()
    with peer.associated(serve(commits=commits).port) as assoc:
        assert ask(assoc, request((CTImageStorage, "1.2.3"), transaction="1.9")) == 0
        assert peer.told.wait(10)
        assert ask(assoc, request((CTImageStorage, "1.2.4"), transaction="1.9")) == 0x0110


def test_a_report_that_was_not_taken_comes_when_he_asks_again(serve, commits, held, archive):
    port = serve(commits=commits).port
    deaf, ds = Requester(status=0x0110), request((CTImageStorage, held.SOPInstanceUID))
    with deaf.associated(port) as assoc:
        assert ask(assoc, ds) == 0
        assert deaf.told.wait(10)
    assert archive.facts(facts.CommitmentReported) == []
    peer = Requester()
    with peer.associated(port) as assoc:
        assert ask(assoc, ds) == 0
        assert peer.told.wait(10)
    assert len(archive.facts(facts.CommitmentAsked)) == 1
    assert len(archive.facts(facts.CommitmentReported)) == 1


def test_the_report_comes_to_a_known_address_until_it_is_taken(
    serve, commits, held, archive, guard
):
    at = free_port()
    guard.destinations["CT1"] = ("127.0.0.1", at)
    peer = Requester()
    ds = request((CTImageStorage, held.SOPInstanceUID), (CTImageStorage, "1.2.3"))
    with peer.associated(serve(commits=commits).port) as assoc:
        assert ask(assoc, ds) == 0
    reports = reporter(commits, guard)
    assert _soon(lambda: bool(commits.owed_titles()))
    assert reports.report_due() == 0
    (delayed,) = archive.facts(facts.CommitmentDelayed)
    assert delayed.reason == "destination_unavailable"
    with peer.listening(at):
        assert _soon(lambda: reports.report_due() == 1)
    assert [kind for kind, _ in peer.reports] == [2]
    assert reports.report_due() == 0
    assert archive.facts(facts.CommitmentReported)[0].failed == ("1.2.3",)


def test_a_listener_that_refuses_the_report_is_tried_again(serve, commits, held, archive, guard):
    at = free_port()
    guard.destinations["CT1"] = ("127.0.0.1", at)
    deaf = Requester(status=0x0110)
    with deaf.associated(serve(commits=commits).port) as assoc:
        assert ask(assoc, request((CTImageStorage, held.SOPInstanceUID))) == 0
    assert _soon(lambda: bool(commits.owed_titles()))
    with deaf.listening(at):
        reporter(commits, guard).report_due()
    assert archive.facts(facts.CommitmentDelayed)[0].reason == "status_0110"


def test_a_peer_that_releases_instead_of_answering_is_owed_the_report(serve, commits, archive):
    class Hasty(Requester):
        def handle(self, event):
            self.told.set()
            event.assoc.abort()
            return 0, None

    peer = Hasty()
    with peer.associated(serve(commits=commits).port) as assoc:
        assert ask(assoc, request((CTImageStorage, "1.2.3"))) == 0
        assert peer.told.wait(10)
    assert archive.facts(facts.CommitmentReported) == []


def _soon(holds):
    for _ in range(200):
        if holds():
            return True
        threading.Event().wait(0.05)
    return False
