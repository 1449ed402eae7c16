"""The same frames as plain files, given out by nginx with sendfile: what a server can do at most.

Serves the pixels of each image under the path of its frame. Called by `benchmarks.retrieve`.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.images import Image
from tests.support.modality import Node
from tests.support.peers import free_port
from tests.support.running import family

FRAME_BYTES: Final = 512 * 512 * 2
_CONFIGURATION: Final = """
daemon off; master_process off; worker_processes 1; user root;
pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
  default_type application/octet-stream;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""


class StaticFiles:
    """nginx as a target; it has no DICOM door."""

    name = "static file (nginx)"
    headers: Final[dict[str, str]] = {}

    def __init__(self, port: int, pid: int) -> None:
        self._port, self._pid = port, pid

    @property
    def node(self) -> Node:
        """None: this server speaks HTTP only."""
        raise RuntimeError("nginx has no DICOM door")

    @property
    def dicomweb(self) -> str:
        """The root of its files."""
        return f"http://127.0.0.1:{self._port}"

    def pids(self) -> list[int]:
        """Its one process."""
        return family(self._pid)


@contextmanager
def static_files(images: Sequence[Image]) -> Iterator[StaticFiles | None]:
    """Run nginx over the frames of images; None where it is not installed."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        print("nginx is not installed: no static files beside the frames", flush=True)
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="pianku-nginx-") as name:
        folder, port = Path(name), free_port()
        for image in images:
            place = folder / "files" / frame_path(image).lstrip("/")
            place.parent.mkdir(parents=True)
            place.write_bytes(image.part10[-FRAME_BYTES:])
        settings = folder / "nginx.conf"
        settings.write_text(_CONFIGURATION.format(folder=folder, port=port), encoding="utf-8")
        process = subprocess.Popen([found, "-c", str(settings), "-p", name])
        try:
            served = StaticFiles(port, process.pid)
            _await(served.dicomweb + frame_path(images[0]))
            yield served
        finally:
            process.terminate()
            process.wait(10)


def frame_path(image: Image) -> str:
    """Return the path of the only frame of an image, below the root of a target."""
    return (
        f"/studies/{image.study_uid}/series/{image.series_uid}/instances/{image.sop_uid}/frames/1"
    )


def _await(address: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                if len(answer.read()) != FRAME_BYTES:
                    raise RuntimeError("nginx gives another file")
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
