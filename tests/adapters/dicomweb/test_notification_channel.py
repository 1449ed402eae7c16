"""The notification channel over a real socket: who is told what, in which order, and who is not.

PS3.18 11.13 and 11.14.
"""

from __future__ import annotations

import time
from contextlib import contextmanager

import pytest

from adapters.dicomweb import notification_channel
from projections.workitems.view import Workitems
from registry.access.values import Role
from registry.workitems.events import WorkitemReportsTaken
from registry.workitems.values import GLOBAL, UPS_PUSH
from tests.support.websocket import WebSocket
from tests.support.workitems import (
    TRANSACTION,
    UID,
    body,
    claimed,
    in_state,
    new_workitem,
    progress,
)

STATE = f"/workitems/{UID}/state"


@contextmanager
def channel(door, title="WATCHER", *, token=None, **headers):
    if token is None:
        token = door.token
    if token:
        headers["Authorization"] = f"Bearer {token}"
    port = int(door.base.rpartition(":")[2])
    with WebSocket(port, f"/dicom-web/subscribers/{title}", headers) as made:
        yield made


def watch(door, title="WATCHER"):
    assert door.http.post(f"/workitems/{GLOBAL}/subscribers/{title}").status_code == 201


def begin(door, uid=UID):
    answer = door.http.post(f"/workitems?workitem={uid}", content=body(new_workitem()))
    assert answer.status_code == 201


def kinds(made, count):
    return [made.hear()["00001002"]["Value"][0] for _ in range(count)]


def test_a_subscriber_hears_what_was_and_what_comes_to_be(door):
    watch(door)
    begin(door)
    with channel(door) as made:
        assert made.status == 101
        told = made.hear()
        assert told["00000002"]["Value"] == [UPS_PUSH]
        assert told["00001000"]["Value"] == [UID]
        assert told["00001002"]["Value"] == [1]
        assert told["00741000"]["Value"] == ["SCHEDULED"]
        assert kinds(made, 1) == [5]
        made.say("nobody listens")
        door.http.put(STATE, content=body(in_state("IN PROGRESS")))
        assert made.hear()["00741000"]["Value"] == ["IN PROGRESS"]
        door.http.post(f"/workitems/{UID}?{TRANSACTION}", content=body(claimed(progress("30"))))
        assert made.hear()["00741002"]["Value"][0]["00741004"]["Value"] == [30]
        door.http.post(f"/workitems/{UID}/cancelrequest?requester=DOCTOR")
        assert made.hear()["00741236"]["Value"] == ["DOCTOR"]
        made.close()
    told = [fact for fact in door.accesses() if fact.transaction == "UPS-RS Event Report"]
    assert sum(fact.count for fact in told) == 5
    assert all(len(fact.patient_keys) == 1 for fact in told)


def test_what_was_told_is_not_told_again(door):
    watch(door)
    begin(door)
    with channel(door) as made:
        assert kinds(made, 2) == [1, 5]
        begin(door, "1.2")
        assert kinds(made, 2) == [1, 5]
        # It is sent first and recorded as taken then: told twice rather than never.
        view = Workitems(door.imaging.house.views)
        deadline = time.monotonic() + 20
        while view.due("WATCHER") and time.monotonic() < deadline:
            time.sleep(0.02)
    taken = [
        recorded.fact.through
        for recorded in door.imaging.house.facts.read(0, 1000)
        if isinstance(recorded.fact, WorkitemReportsTaken)
    ]
    begin(door, "1.3")
    with channel(door) as made:
        heard = [made.hear() for _ in range(2)]
    assert [one["00001000"]["Value"] for one in heard][-1] == ["1.3"]
    assert taken
    assert all(report.number > taken[0] for report in view.due("WATCHER"))


def test_two_subscribers_hear_on_their_own(door):
    watch(door, "ONE")
    watch(door, "TWO")
    begin(door)
    with channel(door, "ONE") as one, channel(door, "TWO") as two:
        assert kinds(one, 2) == kinds(two, 2) == [1, 5]


def test_who_may_not_hears_nothing(door):
    house = door.imaging.house
    with channel(door, token="") as made:
        assert made.status == 401
    with channel(door, token="nonsense") as made:
        assert made.status == 401
    for role in (Role.CLINICIAN, Role.SYSTEM_ADMIN):
        with channel(door, token=house.token(role, label=role)) as made:
            assert made.status == 403
    with channel(door, Origin="https://elsewhere.example") as made:
        assert made.status == 403
    with channel(door, Origin=door.base) as made:
        assert made.status == 101
    with channel(door, "WATCHER/more") as made:
        assert made.status == 404


def test_who_may_no_longer_hears_no_more(door):
    administration = door.imaging.house.administration
    made = administration.issue_token("away", (Role.SYSTEM,))
    door.imaging.house.guard.directory.refresh()
    watch(door)
    with channel(door, token=made.secret) as heard:
        begin(door)
        assert kinds(heard, 2) == [1, 5]
        administration.revoke_token(made.token_id)
        door.imaging.house.guard.directory.refresh()
        begin(door, "1.2")
        with pytest.raises(ConnectionError, match="1008"):
            heard.hear()


def test_there_is_an_end_to_channels(door, monkeypatch):
    monkeypatch.setattr(notification_channel, "_MOST_CHANNELS", 1)
    with channel(door) as made:
        assert made.status == 101
        with channel(door) as other:
            assert other.status == 503
        made.close()
    until = time.monotonic() + 10
    while (status := opened(door)) != 101 and time.monotonic() < until:
        time.sleep(0.05)
    assert status == 101


def opened(door):
    with channel(door) as made:
        return made.status


@pytest.mark.parametrize("path", ["/dicom-web/studies", "/dicom-web", "/dicom-web/workitems"])
def test_there_is_no_other_channel(door, path):
    port = int(door.base.rpartition(":")[2])
    with WebSocket(port, path, {"Authorization": f"Bearer {door.token}"}) as made:
        assert made.status == 404
