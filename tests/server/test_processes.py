"""The supervisor: one instance a folder, ports as bound, a dead role comes back, a clean stop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from server.processes import CannotStart, Supervisor, bind
from server.settings import Settings, load

ROOT = Path(__file__).resolve().parents[2]


def settings(directory: Path) -> Settings:
    return load(None, {}, {"data": str(directory), "http.port": 0, "dimse.port": 0, "mllp.port": 0})


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CannotStart, match="bound"):
        bind("127.0.0.1", taken.getsockname()[1])


def test_two_instances_never_share_a_folder(tmp_path: Path) -> None:
    first = Supervisor(settings(tmp_path))
    try:
        with pytest.raises(CannotStart, match="another instance"):
            Supervisor(settings(tmp_path))
    finally:
        first.stop()
    Supervisor(settings(tmp_path)).stop()


def test_port_zero_becomes_the_port_that_was_bound(tmp_path: Path) -> None:
    supervisor = Supervisor(settings(tmp_path))
    try:
        ports = {
            supervisor.settings.http.port,
            supervisor.settings.dimse.port,
            supervisor.settings.mllp.port,
        }
        assert 0 not in ports
        assert len(ports) == 3
    finally:
        supervisor.stop()


def _serve(folder: Path) -> subprocess.Popen[str]:
    doors = [f"--{door}=127.0.0.1:0" for door in ("http", "dimse", "mllp")]
    return subprocess.Popen(
        [sys.executable, "-m", "server.cli.main", "serve", "--data", str(folder / "d"), *doors],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def _roles(pid: int) -> dict[str, int]:
    """Return the role processes below `pid`, by the name they give themselves."""
    found: dict[str, int] = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
        name = Path(f"/proc/{child}/comm").read_text(encoding="ascii").strip()
        if name.startswith("pianku-"):
            found[name] = int(child)
        found |= _roles(int(child))
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc to find the role processes")
def test_a_role_that_dies_is_started_again_and_sigterm_ends_with_zero(tmp_path: Path) -> None:
    process = _serve(tmp_path)
    try:
        assert process.stdout is not None
        assert "ready\n" in iter(process.stdout.readline, "")
        before = _roles(process.pid)
        assert len(before) == 4
        os.kill(before["pianku-mllp"], signal.SIGKILL)
        deadline = time.monotonic() + 60
        now = before
        while time.monotonic() < deadline:
            time.sleep(0.2)
            now = _roles(process.pid)
            if len(now) == 4 and now["pianku-mllp"] != before["pianku-mllp"]:
                break
        assert len(now) == 4
        assert now["pianku-mllp"] != before["pianku-mllp"]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert not [pid for pid in now.values() if Path(f"/proc/{pid}").exists()]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc to find the role processes")
def test_roles_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    process = _serve(tmp_path)
    assert process.stdout is not None
    assert "ready\n" in iter(process.stdout.readline, "")
    roles = _roles(process.pid)
    process.kill()
    process.wait(10)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        left = [pid for pid in roles.values() if Path(f"/proc/{pid}").exists()]
        if not left:
            break
        time.sleep(0.2)
    assert len(roles) == 4
    assert not left
