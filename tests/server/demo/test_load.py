"""The whole load through all doors (design A1), its progress and its refusals."""

from __future__ import annotations

import pytest

from server.demo import load as loading
from server.demo.catalogue import catalogue
from server.demo.documents import submissions
from server.demo.people import PATIENTS
from server.demo.refusals import DoorRefused
from tests.support.front_doors import TODAY, happy, http_server, mllp_server, storage_scp, target


@pytest.fixture
def few(monkeypatch):
    """A catalogue of the small studies, so that the whole way is short."""
    chosen = tuple(s for s in catalogue(TODAY) if s.kinds[0] in {"ECG", "RT", "ES", "FILES"})
    monkeypatch.setattr(loading, "catalogue", lambda _: chosen)
    monkeypatch.setattr(loading, "submissions", lambda day: submissions(day)[:2])
    return chosen


def test_load_goes_through_all_doors_and_tells_how_far_it_is(few):
    told = []
    with (
        mllp_server() as (mllp, heard),
        storage_scp() as (dimse, received),
        http_server(happy) as (web, requests),
    ):
        report = loading.load(
            target(http=web, dimse=dimse, mllp=mllp),
            lambda done, total, what: told.append((done, total, what)),
            today=TODAY,
        )
    assert report.studies == len(few) == 5
    assert report.documents == sum(len(draw().documents) for draw in submissions(TODAY)[:2])
    assert (len(received), report.instances_c_store) == (9, 9)
    assert report.instances_stow == 17
    assert len(heard) == len(PATIENTS) + 1
    assert [path for path, _, _ in requests].count("/xds/repository") == 2
    assert [done for done, _, _ in told] == list(range(1, told[-1][1] + 1))


def test_load_stops_at_the_first_refusal(few):
    def closed(path, *_):
        return (403, "text/plain", b"") if "dicom-web" in path else happy(path, {}, b"")

    with (
        mllp_server() as (mllp, _),
        storage_scp() as (dimse, _),
        http_server(closed) as (web, _),
        pytest.raises(DoorRefused, match=r"STOW-RS at 127\.0\.0\.1:\d+ answered HTTP 403"),
    ):
        loading.load(target(http=web, dimse=dimse, mllp=mllp), today=TODAY)
