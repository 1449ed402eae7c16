"""An Orthanc of our own: the peer of the query/retrieve walks and of the benchmarks.

Design A2; settings as measured in the benchmarks: fsync on, and TCP_NODELAY=1 in its environment,
because Debian's dcmtk otherwise stalls every image for some 45 ms and no comparison is fair.
Called by walks and benchmarks.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.peers import free_port, peer, program

_START_SECONDS: Final = 60
_PLUGIN: Final = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc."""

    ae_title: str
    dimse_port: int
    http_port: int
    pid: int
    folder: Path

    @property
    def rest(self) -> str:
        """The address of its REST API."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def dicomweb(self) -> str:
        """The address of its DICOMweb root."""
        return f"{self.rest}/dicom-web"

    def call(self, path: str, body: object = None, method: str = "") -> Any:
        """Call its REST API and return the decoded JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.rest}{path}", data=data, method=method or ("GET" if data is None else "POST")
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            text = answer.read()
        return json.loads(text) if text.strip() else None

    def knows(self, name: str, ae_title: str, port: int) -> None:
        """Tell it of a DICOM node on the loopback."""
        self.call(f"/modalities/{name}", [ae_title, "127.0.0.1", port], method="PUT")


@contextmanager
def orthanc(
    ae_title: str = "ORTHANC", *, parent: Path | None = None, more: Mapping[str, Any] | None = None
) -> Generator[Orthanc]:
    """Run an Orthanc in a folder of its own; skips visibly where it is not installed."""
    peer("orthanc")
    folder = Path(tempfile.mkdtemp(prefix="pianku-orthanc-", dir=parent))
    dimse, http = free_port(), free_port()
    settings = {
        "Name": "peer",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "StorageCompression": False,
        "SyncStorageArea": True,
        "Plugins": [_PLUGIN],
        "HttpServerEnabled": True,
        "HttpPort": http,
        "HttpVerbose": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "KeepAlive": True,
        "TcpNoDelay": True,
        "DicomAet": ae_title,
        "DicomPort": dimse,
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowEcho": True,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowFindWorklist": True,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowMove": True,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        **(more or {}),
    }
    (folder / "orthanc.json").write_text(json.dumps(settings), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program("Orthanc"), str(folder / "orthanc.json")],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            env={**os.environ, "TCP_NODELAY": "1"},
        )  # fmt: skip
    try:
        running = Orthanc(ae_title, dimse, http, process.pid, folder)
        _await(running, process)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _await(running: Orthanc, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            running.call("/system")
            running.call("/dicom-web/studies?limit=1")
        except OSError as problem:
            if process.poll() is not None or time.monotonic() > deadline:
                said = (running.folder / "log").read_text("utf-8", errors="replace")
                raise AssertionError(f"Orthanc did not start:\n{said[-3000:]}") from problem
            time.sleep(0.1)
        else:
            return
