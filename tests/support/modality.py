"""A modality and a workstation: dcmtk's storescu, findscu, movescu, getscu and storescp.

PS3.4 B (storage) and C (query/retrieve), spoken by OFFIS's tools, which nobody here wrote.
Called by walks and benchmarks.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from tests.support.peers import free_port, peer, program, run


@dataclass(frozen=True)
class Node:
    """A DICOM application entity to talk to."""

    ae_title: str
    port: int
    host: str = "127.0.0.1"


def store(
    node: Node,
    files: Sequence[Path],
    *,
    calling: str = "CT1",
    check: bool = True,
    options: Sequence[str] = (),
    timeout: float = 300,
) -> subprocess.CompletedProcess[str]:
    """Send files by C-STORE in one association; folders are read recursively."""
    peer("dcmtk")
    return run(
        "storescu", "-aet", calling, "-aec", node.ae_title, *options, "+sd", "+r",
        node.host, str(node.port), *files, check=check, timeout=timeout,
    )  # fmt: skip


def echo(node: Node, *, calling: str = "CT1", check: bool = True) -> bool:
    """Verify by C-ECHO; returns whether it succeeded."""
    peer("dcmtk")
    done = run("echoscu", "-aet", calling, "-aec", node.ae_title, node.host, str(node.port),
               check=check)  # fmt: skip
    return done.returncode == 0


def find(
    node: Node, keys: Sequence[str], *, calling: str = "WORKSTATION", model: str = "-S"
) -> list[Dataset]:
    """Query by C-FIND; `keys` are dcmtk's, for example `PatientID=WALK-1`."""
    peer("dcmtk")
    with tempfile.TemporaryDirectory(prefix="pianku-find-") as folder:
        run("findscu", model, "-X", "-od", folder, "-aet", calling, "-aec", node.ae_title,
            *_keys(keys), node.host, str(node.port))  # fmt: skip
        return [pydicom.dcmread(p, force=True) for p in sorted(Path(folder).glob("*.dcm"))]


def get(node: Node, keys: Sequence[str], folder: Path, *, calling: str = "WORKSTATION") -> None:
    """Retrieve by C-GET into a folder."""
    peer("dcmtk")
    folder.mkdir(parents=True, exist_ok=True)
    run("getscu", "-S", "-B", "-od", folder, "-aet", calling, "-aec", node.ae_title,
        *_keys(keys), node.host, str(node.port))  # fmt: skip


def move(node: Node, keys: Sequence[str], destination: str, *, calling: str = "WORKSTATION") -> str:
    """Ask the node by C-MOVE to send to `destination`; returns what movescu said."""
    peer("dcmtk")
    return run("movescu", "-v", "-S", "-aet", calling, "-aec", node.ae_title, "-aem", destination,
               *_keys(keys), node.host, str(node.port)).stdout  # fmt: skip


@dataclass(frozen=True)
class Receiver:
    """A running storescp and the folder it writes to."""

    node: Node
    folder: Path
    pid: int

    def files(self, count: int, timeout_seconds: float = 30) -> list[Path]:
        """Wait until `count` files have arrived and return them."""
        deadline = time.monotonic() + timeout_seconds
        while len(found := sorted(p for p in self.folder.iterdir() if p.is_file())) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(found)} of {count} files arrived")
            time.sleep(0.05)
        return found


@contextmanager
def receiver(ae_title: str = "ARCHIVE2", port: int = 0) -> Generator[Receiver]:
    """Run a storescp that accepts everything and writes what it got, bit preserving."""
    peer("dcmtk")
    folder = Path(tempfile.mkdtemp(prefix="pianku-scp-"))
    port = port or free_port()
    process = subprocess.Popen(
        [program("storescp"), "-aet", ae_title, "+B", "+xa", "-od", str(folder), str(port)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "TCP_NODELAY": "1"},
    )  # fmt: skip
    try:
        node = Node(ae_title, port)
        deadline = time.monotonic() + 20
        while not echo(node, check=False):
            assert time.monotonic() < deadline, "storescp did not start"
            time.sleep(0.1)
        yield Receiver(node, folder, process.pid)
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def by_uid(files: Sequence[Path]) -> dict[str, Dataset]:
    """Read files and return them by SOP Instance UID."""
    read = [pydicom.dcmread(path, force=True) for path in files]
    return {str(dataset.SOPInstanceUID): dataset for dataset in read}


def refused(said: str) -> list[str]:
    """Return the C-STORE failures a storescu told of."""
    return re.findall(r"(?:Failed|Refused|Error)[^\n]*", said)


def _keys(keys: Sequence[str]) -> list[str]:
    return [word for key in keys for word in ("-k", key)]
