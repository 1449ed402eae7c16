"""A receiver in a process of its own, made to be killed: ledger, tier, intake, DIMSE door.

Run as `python -m tests.support.receiver_process FOLDER PORT`; says `ready` when it listens.
"""

from __future__ import annotations

import hashlib
import signal
import socket
import sys
from pathlib import Path
from uuid import UUID

from adapters.dimse.endpoint import DimseServer
from tests.support.archive import OpenGuard, open_archive


class DerivedRing:
    """Patient keys that a restarted process has again."""

    def key_for(self, patient_key: UUID, *, create: bool) -> bytes | None:
        return hashlib.sha256(b"test" + patient_key.bytes).digest()

    def destroy(self, patient_key: UUID) -> None:
        raise AssertionError("no key is destroyed here")


def main(folder: str, port: str) -> None:
    """Serve until terminated."""
    archive = open_archive(Path(folder), ring=DerivedRing())
    server = DimseServer(
        ae_title="PIANKU",
        listener=socket.create_server(("127.0.0.1", int(port)), backlog=64),
        intake=archive.intake,
        study_index=None,
        storage_map=None,
        blobs=archive.blobs,
        guard=OpenGuard(),
    )
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    server.run()
    archive.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
