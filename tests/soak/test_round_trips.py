"""The whole corpus goes from peer to Pianku to peer; see `tests/walks/test_round_trips.py`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import dicom_corpus, every_modality, round_trip
from tests.support.orthanc import orthanc
from tests.support.running import RunningPianku

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800), pytest.mark.tender("R-6.2.4.2")]


@pytest.fixture(scope="module", params=["files", "matrix"])
def samples(request: pytest.FixtureRequest) -> list[dicom_corpus.Sample]:
    """Files of many makers, then every SOP class in every transfer syntax."""
    if request.param == "matrix":
        return every_modality.matrix()
    return [*dicom_corpus.bundled(), *dicom_corpus.outside(), *dicom_corpus.generated()]


@pytest.mark.peer("dcmtk")
def test_from_dcmtk_to_dcmtk(
    pianku: RunningPianku, samples: list[dicom_corpus.Sample], tmp_path: Path
) -> None:
    sent = dicom_corpus.distinct(round_trip.sendable(samples), 300)

    assert not round_trip.by_dcmtk(pianku, sent, tmp_path)


@pytest.mark.peer("orthanc")
def test_from_orthanc_to_orthanc(pianku: RunningPianku, samples: list[dicom_corpus.Sample]) -> None:
    with orthanc("ROUND", more=round_trip.EVERYTHING) as archive:
        sent = dicom_corpus.distinct(round_trip.readable(samples), 500)
        assert not round_trip.by_orthanc(pianku, archive, sent)


@pytest.mark.peer("orthanc")
def test_by_orthancs_dicomweb_client(
    pianku: RunningPianku, samples: list[dicom_corpus.Sample]
) -> None:
    with orthanc("WEBROUND", more=round_trip.EVERYTHING) as archive:
        sent = dicom_corpus.distinct(round_trip.readable(samples), 800)
        assert not round_trip.by_orthanc_web(pianku, archive, sent)


def test_over_the_web(pianku: RunningPianku, samples: list[dicom_corpus.Sample]) -> None:
    assert not round_trip.by_web(pianku, dicom_corpus.distinct(samples, 700))


def test_there_are_samples_from_outside() -> None:
    if not os.environ.get(dicom_corpus.SAMPLES):
        pytest.skip(f"{dicom_corpus.SAMPLES} names no folder of sample files")

    assert dicom_corpus.outside()
