"""A first start: a password is printed once, and no door lets anybody in who was not granted it.

Design A6 and A10: deny by default on HTTP, SOAP, DIMSE and MLLP, though the caller is local.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from tests.support import ct, mllp, modality, xds
from tests.support.running import FIRST_PASSWORD, RunningPianku
from tests.support.soap import SoapClient


@pytest.fixture(scope="module")
def served(engine_dsn: str | None) -> Generator[RunningPianku]:
    with RunningPianku("serve", dsn=engine_dsn) as running:
        yield running


@pytest.fixture(scope="module")
def printed(served: RunningPianku) -> tuple[str, str]:
    found = [m.groups() for m in map(FIRST_PASSWORD.search, served.said) if m]
    assert len(found) == 1, served.said
    return found[0][0], found[0][1]


def test_the_printed_password_signs_in(served: RunningPianku, printed: tuple[str, str]) -> None:
    login, password = printed
    answer = httpx.post(f"{served.http}/api/v1/session", json={"user": login, "password": password})
    assert answer.status_code == 200, answer.text
    assert "httponly" in answer.headers["set-cookie"].lower()
    wrong = httpx.post(f"{served.http}/api/v1/session", json={"user": login, "password": "x" * 12})
    assert wrong.status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/dicom-web/studies"),
        ("POST", "/dicom-web/studies"),
        ("GET", "/dicom-web/studies/1.2.3/series/1.2.4/instances/1.2.5/frames/1"),
        ("POST", "/api/v1/studies/search"),
        ("GET", "/api/v1/session"),
    ],
)
def test_http_asks_who_is_calling(served: RunningPianku, method: str, path: str) -> None:
    bare = httpx.request(method, f"{served.http}{path}", json={} if method == "POST" else None)
    forged = httpx.request(
        method, f"{served.http}{path}", headers={"Authorization": "Bearer not-a-token"},
        json={} if method == "POST" else None,
    )  # fmt: skip
    assert (bare.status_code, forged.status_code) == (401, 401)


def test_soap_asks_who_is_calling(served: RunningPianku) -> None:
    client = SoapClient(served.http)
    document = xds.Document(b"x", "P1^^^&1.2.3&ISO", mime_type="text/plain")

    for answer in (
        xds.provide_and_register(client, document),
        xds.stored_query(client, xds.FIND_DOCUMENTS, {
            "$XDSDocumentEntryPatientId": "'P1^^^&1.2.3&ISO'",
            "$XDSDocumentEntryStatus": f"('{xds.APPROVED}')",
        }),
        xds.retrieve_answer(client, "1.2.3", ["1.2.3.4"]),
    ):  # fmt: skip
        assert answer.is_fault, answer.text()


@pytest.mark.peer("dcmtk")
@pytest.mark.tender("R-6.2.4.1")
def test_dimse_asks_who_is_calling(served: RunningPianku, tmp_path: Path) -> None:
    files = ct.write(tmp_path, ct.Series(), 1, size=16)

    assert not modality.echo(served.node, check=False)
    assert modality.store(served.node, files, check=False).returncode != 0


def test_mllp_asks_who_is_calling(served: RunningPianku) -> None:
    said = mllp.send(served.mllp_port, mllp.admission("P1", "1.2.3"))

    assert not mllp.accepted(said)


def test_the_password_is_printed_at_the_first_start_only(
    served: RunningPianku, printed: tuple[str, str]
) -> None:
    assert served.stop() == 0
    served.start()

    assert not any(FIRST_PASSWORD.search(line) for line in served.said)
    assert printed[1] not in served.log()
    kept = [p for p in served.data.rglob("*") if p.is_file()]
    assert not any(printed[1].encode() in path.read_bytes() for path in kept)
