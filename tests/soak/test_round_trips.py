"""The whole corpus goes from peer to Pianku to peer; see `tests/walks/test_round_trips.py`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import dicom_corpus, round_trip
from tests.support.orthanc import orthanc
from tests.support.running import RunningPianku


@pytest.fixture(scope="module")
def samples() -> list[dicom_corpus.Sample]:
    return [*dicom_corpus.bundled(), *dicom_corpus.outside(), *dicom_corpus.generated()]


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.peer("dcmtk", "orthanc")
def test_every_file_comes_back_as_it_went(
    pianku: RunningPianku, samples: list[dicom_corpus.Sample], tmp_path: Path
) -> None:
    sent = round_trip.readable(samples)

    assert not round_trip.by_dcmtk(pianku, dicom_corpus.distinct(sent, 300), tmp_path)
    with orthanc("ROUND") as archive:
        assert not round_trip.by_orthanc(pianku, archive, dicom_corpus.distinct(sent, 500))
        assert not round_trip.by_orthanc_web(pianku, archive, dicom_corpus.distinct(sent, 800))
    assert not round_trip.by_web(pianku, dicom_corpus.distinct(samples, 700))


@pytest.mark.soak
def test_there_are_samples_from_outside() -> None:
    if not os.environ.get(dicom_corpus.SAMPLES):
        pytest.skip(f"{dicom_corpus.SAMPLES} names no folder of sample files")

    assert dicom_corpus.outside()
