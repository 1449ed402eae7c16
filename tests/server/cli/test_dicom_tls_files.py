"""Files of DICOM TLS that cannot be used are told before anything starts; doctor names them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from server.cli.main import main
from server.diagnosis import diagnose
from server.settings import Settings


def test_serve_says_at_once_which_files_are_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIANKU_DIMSE__TLS_CERTIFICATE", str(tmp_path / "absent.pem"))
    said = CliRunner().invoke(main, ["--data", str(tmp_path / "data"), "serve"])
    assert said.exit_code == 1
    assert "dimse.tls_certificate or tls_key cannot be used" in said.output
    assert not (tmp_path / "data").exists()


def test_doctor_names_files_it_cannot_read(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path / "data"))
    dimse = msgspec.structs.replace(settings.dimse, tls_ca=str(tmp_path / "absent.pem"))
    report = diagnose(msgspec.structs.replace(settings, dimse=dimse))
    assert {f.name: f.good for f in report.findings if f.name.startswith("dimse.")} == {
        "dimse.tls_ca": False
    }


def test_the_statement_is_printed() -> None:
    said = CliRunner().invoke(main, ["dimse", "conformance"])
    assert said.exit_code == 0
    assert "BCP 195" in said.output
    assert "CT Image Storage | 1.2.840.10008.5.1.4.1.1.2 | images" in said.output
