"""Kill -9 a receiver while several senders store, and look at what is left.

Nothing acknowledged is missing, nothing half stored is visible, the chain holds. Called with 10
seeds by tests/adapters/dimse and with 200 by tests/soak.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from adapters.dimse.decode import ProposedContext
from adapters.dimse.limits import Limits
from adapters.dimse.messages import Interrupted
from adapters.dimse.requestor import DestinationUnavailable, Requestor
from adapters.dimse.wire import PeerClosed, PeerStalled
from kernel.ledger.verify import verify
from registry.studies.events import InstancesStored
from tests.support.archive import instance, octets, open_facts
from tests.support.dimse import CT, EXPLICIT, store_request
from tests.support.peers import free_port
from tests.support.receiver_process import DerivedRing

_ROOT = Path(__file__).resolve().parents[2]


class Killed:
    """One archive that lives through many kills."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.acknowledged: dict[str, str] = {}
        """SOP Instance UID -> SHA-256 of its data set, of all rounds."""
        self._process: subprocess.Popen[str] | None = None
        self._port = 0

    def start(self) -> None:
        self._port = free_port()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.support.receiver_process",
                str(self.folder),
                str(self._port),
            ],
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def round(self, seed: int, *, senders: int = 3, images: int = 40) -> int:
        """Send, kill at a seeded moment, look; returns how many were acknowledged."""
        chance = random.Random(seed)
        before = len(self.acknowledged)
        if self._process is None:
            self.start()
        size = chance.choice((8, 64, 256))
        work = [
            [instance(n, study=f"{seed}", series=str(s + 1), size=size) for n in range(images)]
            for s in range(senders)
        ]
        threads = [threading.Thread(target=self._send, args=(sets,)) for sets in work]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.0, 0.7) ** 1.5)
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(20)
        self._process = None
        for thread in threads:
            thread.join(30)
        self.start()
        self.look()
        return len(self.acknowledged) - before

    def look(self) -> None:
        """Prove what the ledger and the tier hold."""
        ring = DerivedRing()
        with open_facts(self.folder, ring) as ledger:
            report = verify(ledger.recorder)
            assert report.ok, report
            stored = {
                uid: (key, size)
                for recorded in ledger.read(0, 1_000_000)
                if isinstance(recorded.fact, InstancesStored)
                for uid, key, size in zip(
                    recorded.fact.sop_uids, recorded.fact.sha256, recorded.fact.sizes, strict=True
                )
            }
        missing = self.acknowledged.keys() - stored.keys()
        assert not missing, f"acknowledged and gone: {sorted(missing)[:3]}"
        for uid, (key, size) in stored.items():
            part10 = (self.folder / "blobs" / "objects" / key[:2] / key).read_bytes()
            assert len(part10) == size
            assert hashlib.sha256(part10).hexdigest() == key
            if uid in self.acknowledged:
                assert hashlib.sha256(data_of(part10)).hexdigest() == self.acknowledged[uid]
        halves = [
            p
            for p in (self.folder / "blobs" / "incoming").rglob("*")
            if p.is_file() and p.name != ".lock"
        ]
        assert halves == []

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            assert self._process.wait(30) == 0
            self._process = None

    def _send(self, sets: list) -> None:
        ends = (DestinationUnavailable, PeerClosed, PeerStalled, Interrupted, OSError)
        with (
            suppress(*ends),
            Requestor(
                ("127.0.0.1", self._port),
                called_ae="PIANKU",
                calling_ae="CT1",
                proposed=[ProposedContext(1, CT, (EXPLICIT,))],
                limits=Limits(stall_seconds=20),
            ) as peer,
        ):
            for number, ds in enumerate(sets, 1):
                data = data_of(octets(ds))
                peer.messages.send(1, store_request(ds.SOPInstanceUID, message_id=number), data)
                _, answer = peer.messages.read_command()
                if answer[0x0900] == b"\0\0":
                    self.acknowledged[str(ds.SOPInstanceUID)] = hashlib.sha256(data).hexdigest()


def data_of(part10: bytes) -> bytes:
    """Return the data set of a Part 10 file."""
    return part10[144 + int.from_bytes(part10[140:144], "little") :]
