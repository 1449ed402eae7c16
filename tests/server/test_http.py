"""The HTTP application: protecting headers, the viewer's pages, readiness, CORS only as told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from server.health import Finding, Report
from server.http import Doors, build_app


class FixedHealth:
    def __init__(self, *, ready: bool) -> None:
        self._report = Report((Finding("ledger facts", ready, "told"),))

    def report(self) -> Report:
        return self._report

    def metrics(self) -> str:
        return "pianku_ledger_events 1\n"


async def hot_path(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"pixels"})


@pytest.fixture
def spa(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<html>viewer</html>")
    (tmp_path / "assets" / "a.js").write_text("1")
    (tmp_path.parent / "secret.txt").write_text("secret")
    return tmp_path


def client(spa: Path | None, *, ready: bool = True, origins: Sequence[str] = ()) -> TestClient:
    return TestClient(
        build_app(
            Doors(
                routers=(),
                mounts=(("/dicom-web", hot_path),),
                health=FixedHealth(ready=ready),  # type: ignore[arg-type]
                spa=spa,
                allowed_origins=origins,
            )
        )
    )


def test_every_answer_carries_the_protecting_headers(spa: Path) -> None:
    for path in ("/", "/healthz", "/dicom-web/studies", "/api/v1/none"):
        headers = client(spa).get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_pages_have_a_strict_content_security_policy(spa: Path) -> None:
    policy = client(spa).get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-eval" not in policy.replace("wasm-unsafe-eval", "")


def test_the_viewers_addresses_lead_to_its_page_but_unknown_doors_do_not(spa: Path) -> None:
    assert "viewer" in client(spa).get("/studies/1.2.3").text
    for path in ("/api/v1/none", "/xds/none", "/assets/none.js"):
        assert client(spa).get(path).status_code == 404


def test_assets_are_kept_for_ever_and_the_page_is_not(spa: Path) -> None:
    assert "immutable" in client(spa).get("/assets/a.js").headers["cache-control"]
    assert client(spa).get("/").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt"]
)
def test_no_path_leads_out_of_the_viewer(spa: Path, path: str) -> None:
    assert "secret" not in client(spa).get(path).text


def test_readiness_is_the_status_code(spa: Path) -> None:
    assert client(spa).get("/readyz").status_code == 200
    refused = client(spa, ready=False).get("/readyz")
    assert refused.status_code == 503
    assert refused.json()["checks"][0]["good"] is False
    assert "pianku_ledger_events" in client(spa).get("/metrics").text


def test_other_origins_are_allowed_only_when_told(spa: Path) -> None:
    asked = {"origin": "https://viewer.example"}
    assert (
        "access-control-allow-origin" not in client(spa).get("/dicom-web/x", headers=asked).headers
    )
    told = client(spa, origins=("https://viewer.example",))
    allowed = told.get("/dicom-web/x", headers=asked).headers
    assert allowed["access-control-allow-origin"] == "https://viewer.example"
    other = told.get("/dicom-web/x", headers={"origin": "https://evil.example"}).headers
    assert "access-control-allow-origin" not in other
