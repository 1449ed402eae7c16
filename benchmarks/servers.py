"""The servers that are measured: ours as `demo` starts it, and Debian's Orthanc beside it.

Same disk, both with fsync, TCP_NODELAY=1 in both environments. Called by `benchmarks.__main__`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.modality import Node
from tests.support.orthanc import Orthanc, orthanc
from tests.support.running import RunningPianku, family


class Pianku:
    """Our server as a target."""

    def __init__(self, running: RunningPianku, name: str = "pianku") -> None:
        self.name = name
        self.running = running
        self._headers = running.token("clinician")

    @property
    def node(self) -> Node:
        """Its DICOM door."""
        return self.running.node

    @property
    def dicomweb(self) -> str:
        """Its DICOMweb root."""
        return f"{self.running.http}/dicom-web"

    @property
    def headers(self) -> dict[str, str]:
        """A clinician's token for reading."""
        return self._headers

    @property
    def writing_headers(self) -> dict[str, str]:
        """A system's token for writing."""
        return self.running.token("system")

    def pids(self) -> list[int]:
        """The supervisor and its roles."""
        return self.running.processes()


class Peer:
    """Orthanc as a target."""

    def __init__(self, running: Orthanc) -> None:
        self.name = "orthanc"
        self.running = running

    @property
    def node(self) -> Node:
        """Its DICOM door."""
        return Node(self.running.ae_title, self.running.dimse_port)

    @property
    def dicomweb(self) -> str:
        """Its DICOMweb root."""
        return self.running.dicomweb

    @property
    def headers(self) -> dict[str, str]:
        """Nothing: its authentication is off, which costs it nothing."""
        return {}

    writing_headers = headers

    def pids(self) -> list[int]:
        """Its one process."""
        return family(self.running.pid)


@contextmanager
def peer_server(folder: Path) -> Generator[Peer]:
    """Run Orthanc on the disk of `folder`."""
    # `HttpThreadsCount` is its default (50); its index is SQLite, its storage is synced.
    with orthanc("PEER", parent=folder) as running:
        yield Peer(running)


@contextmanager
def our_server(
    folder: Path, *, dsn: str | None = None, settings: Mapping[str, str] | None = None
) -> Generator[Pianku]:
    """Run Pianku on the disk of `folder`, without sample data."""
    with RunningPianku(dsn=dsn, parent=folder, settings=settings, flags=("--no-load",)) as running:
        yield Pianku(running, "pianku" if dsn is None else "pianku-pg")
