"""`pianku dimse` at our own door and at nodes nobody here wrote: dcmtk's storescp and Orthanc.

PS3.4 A, B, C, J from the user's side.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE, evt

from tests.support import ct, modality
from tests.support.orthanc import orthanc
from tests.support.peers import free_port
from tests.support.running import RunningPianku


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    series = ct.Series(patient_id=f"CL{time.monotonic_ns()}", patient_name="Wang^Li=王^丽")
    return ct.write(tmp_path_factory.mktemp("ct"), series, 3, size=64)


def test_store_find_get_and_commit_at_our_own_door(
    pianku: RunningPianku, files: Sequence[Path], tmp_path: Path
) -> None:
    one = pydicom.dcmread(files[0], stop_before_pixels=True)
    here = ("127.0.0.1", str(pianku.dimse_port))
    study = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={one.StudyInstanceUID}")
    (tmp_path / "notes.txt").write_text("no DICOM file")

    pianku.cli("dimse", "echo", *here)
    said = pianku.cli("dimse", "store", *here, str(files[0].parent), str(tmp_path)).stdout
    found = pianku.cli("dimse", "find", *here, *study, "-k", "PatientName", "--json").stdout
    pianku.cli("dimse", "get", *here, *study, "-od", str(tmp_path / "got"))
    kept = pianku.cli("dimse", "commit", *here, str(files[0].parent), "--json").stdout

    assert said == "3 of 3 stored\n"
    (match,) = [json.loads(line) for line in found.splitlines()]
    assert match["00100010"]["Value"] == [{"Alphabetic": "Wang^Li", "Ideographic": "王^丽"}]
    got = modality.by_uid(sorted((tmp_path / "got").iterdir()))
    assert {u: d.PixelData for u, d in got.items()} == {
        u: d.PixelData for u, d in modality.by_uid(files).items()
    }
    assert set(json.loads(kept)["committed"]) == set(got)


def test_commit_says_what_is_not_kept(pianku: RunningPianku, tmp_path: Path) -> None:
    unknown = ct.write(tmp_path, ct.Series(), 1, size=16)
    done = pianku.cli(
        "dimse", "commit", "127.0.0.1", str(pianku.dimse_port), *map(str, unknown), check=False
    )
    assert done.returncode == 1
    assert "0 committed, 1 not" in done.stdout
    assert f"{pydicom.dcmread(unknown[0]).SOPInstanceUID}: 0112" in done.stderr


def test_commit_hears_the_report_on_a_port_of_its_own(
    pianku: RunningPianku, files: Sequence[Path]
) -> None:
    at = free_port()
    pianku.allow_destination("LISTENS", at)
    here = ("127.0.0.1", str(pianku.dimse_port))
    pianku.cli("dimse", "store", *here, *map(str, files))
    done = pianku.cli(
        "dimse", "commit", *here, *map(str, files), "-aet", "LISTENS", "--listen", str(at), "--json"
    )
    assert len(json.loads(done.stdout)["committed"]) == 3


@pytest.mark.peer("dcmtk")
def test_move_sends_to_a_third_node(pianku: RunningPianku, files: Sequence[Path]) -> None:
    one = pydicom.dcmread(files[0], stop_before_pixels=True)
    here = ("127.0.0.1", str(pianku.dimse_port))
    pianku.cli("dimse", "store", *here, *map(str, files))
    with modality.receiver("CLIDEST") as third:
        pianku.allow_destination("CLIDEST", third.node.port)
        said = pianku.cli(
            "dimse", "move", *here, "-aem", "CLIDEST", "-k", "QueryRetrieveLevel=STUDY",
            "-k", f"StudyInstanceUID={one.StudyInstanceUID}",
        ).stdout  # fmt: skip
        assert said == "3 sent, 0 with warnings, 0 failed\n"
        assert len(third.files(3)) == 3


@pytest.mark.peer("orthanc")
def test_another_archive_takes_finds_and_commits(
    pianku: RunningPianku, files: Sequence[Path]
) -> None:
    one = pydicom.dcmread(files[0], stop_before_pixels=True)
    with orthanc("THEIRS") as archive:
        at = free_port()
        archive.knows("cli", "CLI", at)
        there = ("127.0.0.1", str(archive.dimse_port), "-aec", "THEIRS", "-aet", "CLI")
        pianku.cli("dimse", "store", *there, *map(str, files))
        found = pianku.cli(
            "dimse", "find", *there, "-k", "QueryRetrieveLevel=IMAGE", "--json",
            "-k", f"StudyInstanceUID={one.StudyInstanceUID}",
            "-k", f"SeriesInstanceUID={one.SeriesInstanceUID}", "-k", "SOPInstanceUID",
        ).stdout  # fmt: skip
        kept = pianku.cli(
            "dimse", "commit", *there, *map(str, files), "--listen", str(at), "--json"
        ).stdout
    assert len(found.splitlines()) == 3
    assert len(json.loads(kept)["committed"]) == 3


def test_a_refusal_is_one_line_and_exit_code_1(
    pianku: RunningPianku, files: Sequence[Path], tmp_path: Path
) -> None:
    def refuse(event: evt.Event) -> int:
        del event
        return 0xA700

    ae = AE("FULL")
    ae.add_supported_context("1.2.840.10008.5.1.4.1.1.2")
    full = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, refuse)])
    try:
        port = str(full.server_address[1])
        refused = pianku.cli("dimse", "store", "127.0.0.1", port, str(files[0]), check=False)
    finally:
        full.shutdown()
    nobody = pianku.cli("dimse", "echo", "127.0.0.1", str(free_port()), check=False)
    bad_key = pianku.cli(
        "dimse", "find", "127.0.0.1", str(pianku.dimse_port), "-k", "NoSuchKeyword=1", check=False
    )
    empty = pianku.cli("dimse", "store", "127.0.0.1", port, str(tmp_path), check=False)
    assert (refused.returncode, refused.stdout) == (1, "0 of 1 stored\n")
    assert f"{files[0]}: A700" in refused.stderr
    for done in (nobody, bad_key, empty):
        assert done.returncode == 1
        assert done.stderr.startswith("Error: ")
        assert "Traceback" not in done.stderr
