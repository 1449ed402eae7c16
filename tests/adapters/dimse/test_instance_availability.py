"""Availability over sockets: what other archives tell us, and what we tell, until it is taken.

PS3.4 R.3.2; the peers are pynetdicom.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt

from adapters.dimse.contexts import INSTANCE_AVAILABILITY, MPPS, Operation
from adapters.dimse.instance_availability import AvailabilityNotice, AvailabilityScp
from kernel.context import Envelope
from kernel.refusals import Unavailable
from projections.availability.view import Availability
from projections.procedure_steps.view import ProcedureSteps
from registry.availability import events as facts
from registry.commitments.values import Retrying
from registry.studies import commands as studies
from tests.support.archive import instance, octets, stable
from tests.support.dimse import quick
from tests.support.manifests import foreign_kos
from tests.support.peers import free_port
from workflows.notify_availability import AvailabilityNotifier, ComposeNotice, NoteAvailability

CT = "1.2.840.10008.5.1.4.1.1.2"


def notice(**changes):
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, "1.2.1.1"
    item.InstanceAvailability, item.RetrieveAETitle = "NEARLINE", "PACS"
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = "1.2.1", [item]
    step = Dataset()
    step.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.3"
    step.ReferencedSOPInstanceUID, step.PerformedWorkitemCodeSequence = "1.2.9", []
    ds = Dataset()
    ds.ReferencedPerformedProcedureStepSequence = [step]
    ds.StudyInstanceUID, ds.ReferencedSeriesSequence = "1.2", [series]
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    return ds


def tell(port, *told, uid=None):
    """Send notifications on one association; returns the statuses."""
    ae = AE("PACS")
    ae.add_requested_context(INSTANCE_AVAILABILITY)
    assoc = ae.associate("127.0.0.1", port, ae_title="PIANKU")
    assert assoc.is_established
    try:
        return [
            assoc.send_n_create(ds, INSTANCE_AVAILABILITY, uid or generate_uid())[0].Status
            for ds in told
        ]
    finally:
        assoc.release()


@pytest.fixture
def port(serve, archive):
    notes = AvailabilityScp(NoteAvailability(archive.ledger))
    return serve(more={(0x0140, Operation.AVAILABILITY): notes}).port


@pytest.mark.tender("R-6.2.4.2")
def test_what_another_archive_tells_is_noted_and_seen(port, archive):
    assert tell(port, notice(), notice(), uid="1.2.3.4") == [0, 0x0111]
    ((source, _, noted),) = Availability(archive.views.database).notices("1.2")
    assert (source, noted.sop_uid, noted.step_uid, noted.count) == ("PACS", "1.2.3.4", "1.2.9", 1)
    (part,) = noted.instances
    assert (part.availability, part.retrieve_ae, part.sop_uids) == (
        "NEARLINE",
        "PACS",
        ("1.2.1.1",),
    )
    (fact,) = archive.facts(facts.AvailabilityNoted)
    assert fact.source == "PACS"


def test_what_says_too_little_or_nonsense_is_refused(port, archive, guard):
    no_availability = notice()
    del no_availability.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].InstanceAvailability
    bad_uid = notice(StudyInstanceUID="../1")
    nothing = notice(ReferencedSeriesSequence=[])
    no_study = notice(StudyInstanceUID="")
    told = tell(port, no_availability, bad_uid, nothing, no_study)
    assert told == [0x0120, 0x0106, 0x0120, 0x0120]
    guard.denied = {"store"}
    assert tell(port, notice()) == [0x0124]
    assert archive.facts(facts.AvailabilityNoted) == []


def test_another_class_and_a_ledger_that_is_away_have_words_of_their_own(
    port, archive, monkeypatch
):
    def away(_batch):
        raise Unavailable

    monkeypatch.setattr(archive.ledger, "append", away)
    assert tell(port, notice()) == [0x0213]
    ae = AE("PACS")
    ae.add_requested_context(INSTANCE_AVAILABILITY)
    assoc = ae.associate("127.0.0.1", port, ae_title="PIANKU")
    other, _ = assoc.send_n_create(notice(), MPPS, "1.2.3.4", meta_uid=INSTANCE_AVAILABILITY)
    assert other.Status == 0x0118
    monkeypatch.undo()
    right, _ = assoc.send_n_create(notice(), INSTANCE_AVAILABILITY, "1.2.3.4")
    assert right.Status == 0x0000
    assoc.release()


class Listener:
    """A system that hears of what is available."""

    def __init__(self, status=0):
        self.status = status
        self.heard = []

    @contextmanager
    def at(self, port):
        def take(event):
            uid = event.request.AffectedSOPInstanceUID
            self.heard.append((uid, event.attribute_list))
            return self.status, None

        ae = AE("RIS")
        ae.add_supported_context(INSTANCE_AVAILABILITY)
        server = ae.start_server(
            ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_N_CREATE, take)]
        )
        try:
            yield
        finally:
            server.shutdown()


@pytest.fixture
def notifier(archive, guard):
    views = archive.views
    compose = ComposeNotice(views.index, ProcedureSteps(views.database), ae_title="PIANKU")
    moment = [datetime.now(UTC)]
    made = AvailabilityNotifier(
        archive.ledger, Availability(views.database), compose, guard,
        AvailabilityNotice("PIANKU", quick()), recipients=["RIS"],
        retrying=Retrying(timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)),
        clock=lambda: moment[0] + timedelta(seconds=5),
    )  # fmt: skip
    made.moment = moment
    made.enrol()
    return made


@pytest.fixture
def complete(archive):
    """Return a function that stores instances of study A and completes it."""

    def make(*numbers):
        sets = [instance(n) for n in numbers]
        archive.intake.store_many([archive.offer(octets(ds)) for ds in sets], Envelope())
        stream = studies.study_stream(stable("A"))
        state, version = archive.ledger.fold(stream, studies.NOTHING, studies.fold)
        archive.ledger.append(studies.complete(state, version, Envelope()))
        return owed(archive)

    return make


def owed(archive, study="A"):
    return [o.state for o in Availability(archive.views.database).of_study(stable(study))]


@pytest.mark.tender("R-6.2.4.2")
def test_a_complete_study_is_told_once_and_a_grown_one_again(archive, guard, notifier, complete):
    at, ris = free_port(), Listener()
    guard.destinations["RIS"] = ("127.0.0.1", at)
    assert complete(1, 2) == ["waiting"]
    with ris.at(at):
        assert notifier.notify_due() == 1
        assert owed(archive) == ["told"]
        assert notifier.notify_due() == 0
        complete(3)
        assert notifier.notify_due() == 1
    (_, first), (_, second) = ris.heard
    assert first.StudyInstanceUID == stable("A")
    (series,) = first.ReferencedSeriesSequence
    assert [
        (i.ReferencedSOPInstanceUID, i.InstanceAvailability, i.RetrieveAETitle)
        for i in series.ReferencedSOPSequence
    ] == [(stable("A", "1", n), "ONLINE", "PIANKU") for n in (1, 2)]
    assert list(first.ReferencedPerformedProcedureStepSequence) == []
    assert len(second.ReferencedSeriesSequence[0].ReferencedSOPSequence) == 3
    # Personal data have no place in it (PS3.4 R.3.2.1.2).
    assert "PatientName" not in first
    assert "PatientID" not in first


def test_who_is_away_hears_later_and_the_same(archive, guard, notifier, complete):
    at, ris = free_port(), Listener(status=0x0110)
    complete(1)
    assert notifier.notify_due() == 0  # no address is known
    guard.destinations["RIS"] = ("127.0.0.1", at)
    notifier.moment[0] += timedelta(minutes=1)
    assert owed(archive) == ["waiting"]
    assert notifier.notify_due() == 0  # nobody listens
    with ris.at(at):
        notifier.moment[0] += timedelta(minutes=1)
        assert owed(archive) == ["waiting"]
        assert notifier.notify_due() == 0  # he does not take it
        ris.status = 0x0111
        notifier.moment[0] += timedelta(minutes=1)
        assert owed(archive) == ["waiting"]
        assert notifier.notify_due() == 1
    assert [d.reason for d in archive.facts(facts.AvailabilityDelayed)] == [
        "no_address", "destination_unavailable", "status_0110",
    ]  # fmt: skip
    assert len({uid for uid, _ in ris.heard}) == 1
    assert owed(archive) == ["told"]


def test_it_is_given_up_in_time(archive, notifier, complete):
    complete(1)
    notifier.moment[0] += timedelta(hours=2)
    notifier.notify_due()
    assert owed(archive) == ["abandoned"]


def test_a_rejection_is_told_at_once_with_what_is_gone(archive, guard, notifier, complete):
    at, ris = free_port(), Listener()
    guard.destinations["RIS"] = ("127.0.0.1", at)
    complete(1, 2)
    with ris.at(at):
        assert notifier.notify_due() == 1
        rejected = {stable("A", "1"): [stable("A", "1", 1)]}
        note = foreign_kos(
            stable("A"), rejected, title=("113001", "DCM", "Quality"), sop_uid=stable("note"), PatientID="PAT-A",
            SeriesInstanceUID=stable("A", "notes"), AccessionNumber="ACC-A",
        )  # fmt: skip
        archive.intake.store_many([archive.offer(note)], Envelope())
        assert owed(archive) == ["waiting"]
        assert notifier.notify_due() == 1
    items = [
        item
        for series in ris.heard[1][1].ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    ]
    words = {i.ReferencedSOPInstanceUID: i.InstanceAvailability for i in items}
    assert words[stable("A", "1", 1)] == "UNAVAILABLE"
    assert words[stable("A", "1", 2)] == "ONLINE"


def test_who_is_no_longer_named_is_owed_nothing(archive, guard, notifier, complete):
    complete(1)
    notifier._recipients = frozenset()
    notifier.enrol()
    assert owed(archive) == []
    complete(2)
    assert owed(archive) == []
