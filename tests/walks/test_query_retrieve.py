"""What a modality sent is found and fetched again by workstations and another archive.

PS3.4 C: C-FIND, C-MOVE, C-GET by dcmtk; C-STORE from and to Orthanc.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from tests.support import ct, modality
from tests.support.orthanc import Orthanc, orthanc
from tests.support.running import RunningPianku

pytestmark = pytest.mark.peer("dcmtk")


@pytest.fixture(scope="module")
def study(pianku: RunningPianku, tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    series = ct.Series(
        patient_id=f"QR{time.monotonic_ns()}", patient_name="Fetch^Phantom", accession="QR-77"
    )
    files = ct.write(tmp_path_factory.mktemp("qr"), series, 12, size=128)
    modality.store(pianku.node, files)
    return files


@pytest.fixture(scope="module")
def archive() -> Generator[Orthanc]:
    with orthanc("ARCHIVE") as running:
        yield running


@pytest.mark.tender("R-6.2.4.1")
def test_findscu_finds_it_on_every_level(pianku: RunningPianku, study: Sequence[Path]) -> None:
    one = next(iter(modality.by_uid(study[:1]).values()))

    patients = modality.find(
        pianku.node, ["QueryRetrieveLevel=PATIENT", f"PatientID={one.PatientID}", "PatientName"],
        model="-P",
    )  # fmt: skip
    studies = modality.find(
        pianku.node,
        ["QueryRetrieveLevel=STUDY", f"AccessionNumber={one.AccessionNumber}",
         f"PatientID={one.PatientID}", "StudyInstanceUID", "ModalitiesInStudy",
         "NumberOfStudyRelatedInstances"],
    )  # fmt: skip
    series = modality.find(
        pianku.node, ["QueryRetrieveLevel=SERIES", f"StudyInstanceUID={one.StudyInstanceUID}",
                      "SeriesInstanceUID", "Modality"],
    )  # fmt: skip
    images = modality.find(
        pianku.node, ["QueryRetrieveLevel=IMAGE", f"StudyInstanceUID={one.StudyInstanceUID}",
                      f"SeriesInstanceUID={one.SeriesInstanceUID}", "SOPInstanceUID"],
    )  # fmt: skip

    assert [str(p.PatientName) for p in patients] == ["Fetch^Phantom"]
    assert [s.StudyInstanceUID for s in studies] == [one.StudyInstanceUID]
    assert studies[0].NumberOfStudyRelatedInstances == len(study)
    assert [s.Modality for s in series] == ["CT"]
    assert {i.SOPInstanceUID for i in images} == set(modality.by_uid(study))


@pytest.mark.tender("R-6.2.4.2")
def test_getscu_returns_identical_data_sets(
    pianku: RunningPianku, study: Sequence[Path], tmp_path: Path
) -> None:
    modality.get(pianku.node, _whole_study(study), tmp_path / "got")

    assert_same(study, sorted((tmp_path / "got").iterdir()))


@pytest.mark.tender("R-6.2.4.2")
def test_movescu_sends_identical_data_sets_to_a_third_node(
    pianku: RunningPianku, study: Sequence[Path]
) -> None:
    with modality.receiver("THIRD") as third:
        pianku.allow_destination("THIRD", third.node.port)

        said = modality.move(pianku.node, _whole_study(study), "THIRD")

        assert_same(study, third.files(len(study)), said)


def test_movescu_to_an_unknown_destination_is_refused(
    pianku: RunningPianku, study: Sequence[Path]
) -> None:
    with pytest.raises(AssertionError, match=r"(?i)a801|destination"):
        modality.move(pianku.node, _whole_study(study), "NOBODY")


@pytest.mark.peer("orthanc")
@pytest.mark.tender("R-6.2.4.2")
def test_another_archive_sends_to_us(
    pianku: RunningPianku, archive: Orthanc, tmp_path: Path
) -> None:
    series = ct.Series(patient_id=f"OR{time.monotonic_ns()}")
    files = ct.write(tmp_path / "ct", series, 8, size=128)
    modality.store(modality.Node(archive.ae_title, archive.dimse_port), files)
    archive.knows("pianku", "PIANKU", pianku.dimse_port)

    archive.call("/modalities/pianku/echo", {})
    archive.call("/modalities/pianku/store", {"Resources": archive.call("/studies")})

    modality.get(pianku.node, _whole_study(files), tmp_path / "back")
    assert_same(files, sorted((tmp_path / "back").iterdir()))


@pytest.mark.peer("orthanc")
@pytest.mark.tender("R-6.2.4.2")
def test_another_archive_queries_us_and_moves_from_us(
    pianku: RunningPianku, archive: Orthanc, study: Sequence[Path], tmp_path: Path
) -> None:
    one = next(iter(modality.by_uid(study[:1]).values()))
    archive.knows("pianku", "PIANKU", pianku.dimse_port)
    pianku.allow_destination("ARCHIVE", archive.dimse_port)

    query = archive.call(
        "/modalities/pianku/query",
        {"Level": "Study", "Query": {"StudyInstanceUID": one.StudyInstanceUID}},
    )
    assert archive.call(f"/queries/{query['ID']}/answers") == ["0"]
    archive.call(f"/queries/{query['ID']}/retrieve", {"TargetAet": "ARCHIVE"})

    modality.get(
        modality.Node(archive.ae_title, archive.dimse_port), _whole_study(study), tmp_path / "moved"
    )
    assert_same(study, sorted((tmp_path / "moved").iterdir()))


def assert_same(sent: Sequence[Path], got: Sequence[Path], said: str = "") -> None:
    """Both hold the same data sets, element by element, pixels included."""
    before, after = modality.by_uid(sent), modality.by_uid(got)
    assert set(after) == set(before), said
    for uid, dataset in before.items():
        assert _elements(after[uid]) == _elements(dataset)


def _elements(dataset: Dataset) -> dict[int, object]:
    return {int(e.tag): (e.VR, e.value) for e in dataset if e.tag.element != 0}


def _whole_study(files: Sequence[Path]) -> list[str]:
    one = next(iter(modality.by_uid(files[:1]).values()))
    return ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={one.StudyInstanceUID}"]
