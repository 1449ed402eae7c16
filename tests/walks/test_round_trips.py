"""What went in comes out: instances of every SOP class and transfer syntax, by every door.

PS3.4 B.4.1 (level 2: nothing is lost) through dcmtk and Orthanc, PS3.18 10.4 and 10.5 octet by
octet. A slice of the corpus; `./pianku soak` sends all of it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import dicom_corpus, every_modality, round_trip
from tests.support.orthanc import orthanc
from tests.support.running import RunningPianku

pytestmark = pytest.mark.tender("R-6.2.4.2")


@pytest.fixture(scope="module")
def samples() -> list[dicom_corpus.Sample]:
    found = [*dicom_corpus.bundled(), *dicom_corpus.outside()]
    return [*dicom_corpus.slice_of(found), *every_modality.slice_of_matrix()]


@pytest.mark.peer("dcmtk")
def test_from_dcmtk_to_dcmtk_no_element_changes(
    pianku: RunningPianku, samples: list[dicom_corpus.Sample], tmp_path: Path
) -> None:
    sent = dicom_corpus.distinct(round_trip.sendable(samples), 200)

    assert len({one.transfer_syntax for one in sent}) >= 18
    assert not round_trip.by_dcmtk(pianku, sent, tmp_path)


@pytest.mark.peer("orthanc")
def test_from_orthanc_to_orthanc_no_element_changes(
    pianku: RunningPianku, samples: list[dicom_corpus.Sample]
) -> None:
    sent = dicom_corpus.distinct(round_trip.readable(samples), 400)

    with orthanc("ROUND", more=round_trip.EVERYTHING) as archive:
        assert not round_trip.by_orthanc(pianku, archive, sent)


@pytest.mark.peer("orthanc")
def test_by_orthancs_dicomweb_client_both_ways_no_element_changes(
    pianku: RunningPianku, samples: list[dicom_corpus.Sample]
) -> None:
    sent = dicom_corpus.distinct(round_trip.readable(samples), 700)

    with orthanc("WEBROUND", more=round_trip.EVERYTHING) as archive:
        assert not round_trip.by_orthanc_web(pianku, archive, sent)
        found = archive.call(
            "/dicom-web/servers/pianku/qido",
            {"Uri": "/studies", "Arguments": {"StudyInstanceUID": sent[0].study_uid}},
        )
        assert found[0]["0020000D"]["Value"] == sent[0].study_uid


def test_over_the_web_no_octet_changes(
    pianku: RunningPianku, samples: list[dicom_corpus.Sample]
) -> None:
    assert not round_trip.by_web(pianku, dicom_corpus.distinct(samples, 600))


def test_a_difference_would_be_seen(samples: list[dicom_corpus.Sample]) -> None:
    one = next(s for s in samples if s.transfer_syntax == "1.2.840.10008.1.2.1")
    octets = one.octets.replace(b"DICM", b"DICM", 1)
    changed = octets[:-9] + bytes((octets[-9] ^ 1,)) + octets[-8:]

    assert round_trip.compared([one], {one.sop_uid: octets}) == {}
    assert round_trip.compared([one], {one.sop_uid: changed})
    assert round_trip.compared([one], {}) == {one.name: "did not come back"}
