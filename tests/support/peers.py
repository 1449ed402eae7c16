"""Third-party programs the tests talk to, and what happens where one is not installed.

Design A2 and the house's rule: a missing peer is a visible skip, and a failure under
PIANKU_REQUIRE_PEERS=1 (set by `.ci/run`). Called by fixtures, walks and benchmarks.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import pytest

REQUIRE: Final = "PIANKU_REQUIRE_PEERS"


@dataclass(frozen=True)
class Peer:
    """A program somebody else wrote: how it is recognised, and where it comes from."""

    what: str
    programs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    package: str = ""
    """The Debian package that brings it."""
    offered: bool = True
    """False: no package registry offers it, so its absence is a skip even where peers are due."""


PEERS: Final[Mapping[str, Peer]] = {
    "dcmtk": Peer(
        "the DICOM tools of OFFIS",
        programs=("storescu", "storescp", "findscu", "movescu", "getscu", "echoscu", "dcmdump"),
        package="dcmtk",
    ),
    "orthanc": Peer(
        "the DICOM server Orthanc with its DICOMweb plugin",
        programs=("Orthanc",),
        files=("/usr/share/orthanc/plugins/libOrthancDicomWeb.so",),
        package="orthanc orthanc-dicomweb",
    ),
    "dicom3tools": Peer("a DICOM validator", programs=("dciodvfy",), package="dicom3tools"),
    "chromium": Peer("a browser", programs=("chromium",), package="chromium"),
    "wrk": Peer("an HTTP load generator", programs=("wrk",), package="wrk"),
    "curl": Peer("an HTTP client", programs=("curl",), package="curl"),
    "poppler": Peer("a PDF renderer", programs=("pdftoppm",), package="poppler-utils"),
    "ghostscript": Peer("a PDF interpreter", programs=("gs",), package="ghostscript"),
    "openssl": Peer("a maker of certificates", programs=("openssl",), package="openssl"),
    "postgresql": Peer("a PostgreSQL server", programs=("initdb", "pg_ctl"), package="postgresql"),
    "meilisearch": Peer("the search server Meilisearch", programs=("meilisearch",), offered=False),
    "webkit": Peer("the browser engine WebKit", programs=("MiniBrowser",), offered=False),
}
"""Every peer a test may name. Those with `offered=False` always skip visibly when absent."""

_CLIENT_PORTS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_given: set[int] = set()
_POSTGRES_FOLDERS: Final = tuple(f"/usr/lib/postgresql/{major}/bin" for major in range(18, 13, -1))


def peer(name: str) -> Peer:
    """Return the peer if it is installed, else skip the test (or fail it: see `missing`)."""
    wanted = PEERS[name]
    absent = [program for program in wanted.programs if _find(program) is None]
    absent += [file for file in wanted.files if not Path(file).exists()]
    if absent:
        missing(name, f"{', '.join(absent)} not found")
    return wanted


def missing(name: str, detail: str = "") -> NoReturn:
    """Skip in words a user understands; fail instead where peers are required and to be had."""
    wanted = PEERS[name]
    reason = f"{name} ({wanted.what}) is not on this machine"
    if wanted.package:
        reason += f"; Debian: apt-get install {wanted.package}"
    if not wanted.offered:
        reason += "; no package registry offers it"
    if detail:
        reason += f" [{detail}]"
    if wanted.offered and required():
        pytest.fail(f"{reason}. {REQUIRE}=1 asks for every peer.", pytrace=False)
    pytest.skip(reason)


def required() -> bool:
    """Return whether a missing peer is a failure."""
    return os.environ.get(REQUIRE) == "1"


def program(name: str) -> str:
    """Return the path of a peer's program (the peer is known to be there)."""
    found = _find(name)
    if found is None:
        raise FileNotFoundError(name)
    return found


def _find(name: str) -> str | None:
    """Find a program outside our own environment: pynetdicom brings a `storescu` of its own."""
    ours = Path(sys.prefix).resolve()
    folders = [
        folder
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep)
        if folder and ours not in Path(folder).resolve().parents
    ]
    return shutil.which(name, path=os.pathsep.join((*folders, *_POSTGRES_FOLDERS)))


def free_port() -> int:
    """Return a port of the loopback that nobody listens on, and that nobody is about to take.

    Tests run side by side: a port that the kernel proposes may be another's outgoing connection
    the moment after. So it comes from below those, by chance, and never twice.
    """
    clients_from = int(_CLIENT_PORTS.read_text().split()[0]) if _CLIENT_PORTS.exists() else 32_768
    for _ in range(1000):
        port = 10_240 + secrets.randbelow(max(clients_from, 12_288) - 10_240)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port
    raise OSError("no free port")


def run(
    name: str, *arguments: str | Path, timeout: float = 120, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a peer's program; on failure the error shows what it said."""
    done = subprocess.run(
        [program(name), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{name} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done
