"""Reports, presentation states and key images are stored, found and fetched by dcmtk alone.

RAD TF-2 4.17, 4.27, 4.31 and 4.45: the same Query/Retrieve service for what is no image.
"""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.support import dicom_corpus, every_modality, modality
from tests.support.running import RunningPianku

pytestmark = pytest.mark.tender("R-6.2.3.2")
KINDS = ("SR:88.33", "PR:11.1", "KO:88.59")


@pytest.fixture
def stored(pianku: RunningPianku, tmp_path: Path) -> list[dicom_corpus.Sample]:
    """One of each kind, of this test's own, sent by storescu."""
    sent = dicom_corpus.distinct(every_modality.plain(*KINDS), 1 + time.time_ns() % 900 + 99)
    modality.store(pianku.node, dicom_corpus.write(sent, tmp_path / "sent"), options=["-R"])
    assert len(sent) == len(KINDS)
    return sent


@pytest.mark.peer("dcmtk")
def test_findscu_movescu_and_getscu(
    pianku: RunningPianku, stored: list[dicom_corpus.Sample], tmp_path: Path
) -> None:
    with modality.receiver("EVIDENCE") as receiver:
        pianku.allow_destination("EVIDENCE", receiver.node.port)
        for number, one in enumerate(stored):
            sent = dicom_corpus.read(one.octets)
            keys = [
                "QueryRetrieveLevel=IMAGE",
                f"StudyInstanceUID={sent.StudyInstanceUID}",
                f"SeriesInstanceUID={sent.SeriesInstanceUID}",
            ]
            found = modality.find(pianku.node, [*keys, "SOPInstanceUID", "SOPClassUID"])
            told = {str(f.SOPInstanceUID): str(f.SOPClassUID) for f in found}
            assert told[one.sop_uid] == one.sop_class

            keys.append(f"SOPInstanceUID={one.sop_uid}")
            modality.get(pianku.node, keys, tmp_path / f"got-{number}")
            modality.move(pianku.node, keys, "EVIDENCE")
            (got,) = (tmp_path / f"got-{number}").iterdir()
            assert not dicom_corpus.compared_files(one.octets, got.read_bytes())
        moved = {str(dcmread(p).SOPInstanceUID): p for p in receiver.files(len(stored))}
        for one in stored:
            assert not dicom_corpus.compared_files(one.octets, moved[one.sop_uid].read_bytes())


def test_the_dicomweb_client_fetches_bulk_data_as_it_was(pianku: RunningPianku) -> None:
    """PS3.18 10.4.1.1.5: what metadata name by URI, element by element."""
    (one,) = dicom_corpus.distinct(every_modality.plain("ECG:9.1.1"), 101 + time.time_ns() % 800)
    sent = dcmread(io.BytesIO(one.octets))
    client = DICOMwebClient(f"{pianku.http}/dicom-web", headers=pianku.token("system"))
    sent.WaveformSequence[0].WaveformData = bytes(range(256)) * 40
    client.store_instances([sent])

    metadata = client.retrieve_instance_metadata(
        str(sent.StudyInstanceUID), str(sent.SeriesInstanceUID), one.sop_uid
    )
    place = metadata["54000100"]["Value"][0]["54001010"]["BulkDataURI"]

    assert client.retrieve_bulkdata(place) == [bytes(range(256)) * 40]
    assert _names(client.retrieve_instance(
        str(sent.StudyInstanceUID), str(sent.SeriesInstanceUID), one.sop_uid
    )) == _names(sent)  # fmt: skip


def _names(dataset: Dataset) -> list[str]:
    return sorted(str(element.tag) for element in dataset)
