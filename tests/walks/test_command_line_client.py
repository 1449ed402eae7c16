"""`pianku xds`: a document sent, found and fetched from the command line."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.support import mllp
from tests.support.running import RunningPianku

CONTENT = b"%PDF-1.4 a report\n" * 1000


@pytest.fixture
def patient(pianku: RunningPianku) -> str:
    number, authority = f"CLI{time.monotonic_ns()}", pianku.demo["assigning_authority"]
    assert mllp.accepted(mllp.send(pianku.mllp_port, mllp.admission(number, authority)))
    return f"{number}^^^&{authority}&ISO"


def test_a_file_goes_in_and_comes_out(pianku: RunningPianku, patient: str, tmp_path: Path) -> None:
    report = tmp_path / "胸部CT.pdf"
    report.write_bytes(CONTENT)
    registry, repository = f"{pianku.http}/xds/registry", f"{pianku.http}/xds/repository"

    sent = pianku.cli("xds", "send", str(report), "--patient", patient, "--to", repository).stdout
    entry_uuid, unique_id = sent.split()
    found = json.loads(
        pianku.cli("xds", "query", "--patient", patient, "--to", registry, "--json").stdout
    )
    again = pianku.cli("xds", "query", "--unique-id", unique_id, "--to", registry).stdout
    oid = pianku.demo["repository_oid"]
    output = tmp_path / "out"
    written = pianku.cli(
        "xds", "retrieve", unique_id, "--repository", oid, "--to", repository,
        "--output", str(output),
    ).stdout  # fmt: skip

    assert [row["unique_id"] for row in found] == [unique_id]
    assert entry_uuid.removeprefix("urn:uuid:") == found[0]["entry_uuid"]
    assert found[0]["title"] == "胸部CT"
    assert unique_id in again
    assert Path(written.strip()).read_bytes() == CONTENT
    assert Path(written.strip()).parent == output


def test_a_refusal_is_told_in_the_other_sides_words(pianku: RunningPianku, tmp_path: Path) -> None:
    report = tmp_path / "a.txt"
    report.write_text("x")
    nobody = f"NOBODY{time.monotonic_ns()}^^^&{pianku.demo['assigning_authority']}&ISO"

    told = pianku.cli(
        "xds", "send", str(report), "--patient", nobody,
        "--to", f"{pianku.http}/xds/repository", check=False,
    )  # fmt: skip
    missing = pianku.cli(
        "xds", "retrieve", "2.25.1", "--repository", pianku.demo["repository_oid"],
        "--to", f"{pianku.http}/xds/repository", "--output", str(tmp_path), check=False,
    )  # fmt: skip

    assert told.returncode == 1
    assert "XDSUnknownPatientId" in told.stderr
    assert missing.returncode == 1
    assert "XDSDocumentUniqueIdError" in missing.stderr
