"""A missing peer is a visible skip, and a failure where peers are required."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support import peers


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(peers, "_POSTGRES_FOLDERS", ())


def test_a_missing_peer_is_skipped_in_words(
    nothing_installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(peers.REQUIRE, raising=False)

    with pytest.raises(pytest.skip.Exception, match=r"dcmtk .*apt-get install dcmtk"):
        peers.peer("dcmtk")


def test_a_missing_peer_fails_where_peers_are_required(
    nothing_installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(peers.REQUIRE, "1")

    with pytest.raises(pytest.fail.Exception, match="PIANKU_REQUIRE_PEERS"):
        peers.peer("dcmtk")


@pytest.mark.parametrize("name", [n for n, p in peers.PEERS.items() if not p.offered])
def test_what_no_registry_offers_is_always_a_skip(
    nothing_installed: None, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(peers.REQUIRE, "1")

    with pytest.raises(pytest.skip.Exception, match="no package registry offers it"):
        peers.peer(name)


def test_our_own_environments_programs_are_no_peers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours = tmp_path / "venv"
    (ours / "bin").mkdir(parents=True)
    (ours / "bin" / "storescu").touch(mode=0o755)
    monkeypatch.setattr(sys, "prefix", str(ours))
    monkeypatch.setenv("PATH", str(ours / "bin"))

    assert peers._find("storescu") is None
