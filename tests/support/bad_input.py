"""An archive with its DICOM and DICOMweb doors, and what must hold whatever is sent to it.

Nothing ends in a defect, everything is answered, what was acknowledged is there as it was sent, what
was refused is not, the views go on. Called by tests of bad input and by tests/soak.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import socket
import threading
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from adapters.dicomweb.archive import Archive, Limits
from adapters.dicomweb.endpoint import DicomWeb
from adapters.dimse.decode import ProposedContext, command, number, text
from adapters.dimse.limits import Limits as DimseLimits
from adapters.dimse.requestor import Requestor
from kernel.ledger.verify import verify
from projections.permissions.policy import clause
from registry.studies.events import InstancesStored
from tests.support.archive import OpenGuard, instance, octets
from tests.support.damaged_files import Damaged
from tests.support.damaged_pdus import Conversation
from tests.support.dimse import CT, EXPLICIT, Receiver, pdata, quick, store_request
from tests.support.imaging import Imaging, imaging

_JPEG = {"accept": "image/jpeg"}
_AS_STORED = {"accept": 'application/dicom; transfer-syntax="*"'}


class Defects(logging.Handler):
    """Remembers what the product calls a mistake of its own."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(self.format(record) + f" {getattr(record, 'problem', '')}")


class Target:
    """What bad input is sent to."""

    def __init__(self, made: Imaging, app: DicomWeb, receiver: Receiver, defects: Defects) -> None:
        self.imaging = made
        self.receiver = receiver
        self.acknowledged: dict[str, bytes] = {}
        """SOP Instance UID -> what was sent, of everything the doors said they stored."""
        self.told: set[str] = set()
        """SOP Instance UIDs of which raw conversations were told that they are stored."""
        self._defects = defects
        self._loop = asyncio.new_event_loop()
        self._web = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://pianku/dicom-web", timeout=60,
            headers={"authorization": f"Bearer {made.house.token('system')}"},
        )  # fmt: skip
        self._number = 0

    # -- the doors ---------------------------------------------------------------------------

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send a request to the DICOMweb door."""
        return self._loop.run_until_complete(self._web.request(method, path, **more))

    def send(self, files: Sequence[Damaged]) -> list[int]:
        """Send data sets in one C-STORE each; returns the statuses, which all must come."""
        contexts = list(dict.fromkeys((one.sop_class, one.syntax) for one in files))
        proposed = [
            ProposedContext(2 * number + 1, abstract, (syntax,))
            for number, (abstract, syntax) in enumerate(contexts)
        ]
        words = []
        with Requestor(
            ("127.0.0.1", self.receiver.port), called_ae="PIANKU", calling_ae="FUZZ",
            proposed=proposed, limits=DimseLimits(stall_seconds=30),
        ) as peer:  # fmt: skip
            for number, one in enumerate(files, 1):
                context = 2 * contexts.index((one.sop_class, one.syntax)) + 1
                request = store_request(
                    one.sop_uid, sop_class=one.sop_class, message_id=number % 65536
                )
                if one.data:
                    peer.messages.send(context, request, one.data)
                else:
                    peer.messages.wire.send(pdata(context, 3, request) + pdata(context, 2, b""))
                _, answer = peer.messages.read_command()
                words.append(int.from_bytes(answer[0x0900], "little"))
                if words[-1] == 0:
                    self.acknowledged[one.sop_uid] = one.data
        return words

    def refused(self, file: Damaged) -> list[int]:
        """Send one that differs from what is held; returns its status."""
        held = self.acknowledged.get(file.sop_uid)
        words = self.send([file])
        if held is not None:
            self.acknowledged[file.sop_uid] = held
        return words

    def converse(self, said: Conversation, *, seconds: float = 20.0) -> bytes:
        """Say it all to the DIMSE door, then listen until it closes; it must, in time."""
        heard = bytearray()
        with socket.create_connection(("127.0.0.1", self.receiver.port), timeout=seconds) as line:
            with suppress(OSError):
                for pdu in said.pdus:
                    line.sendall(pdu)
                # One in eight keeps his end open and says no more.
                if not said.waits:
                    line.shutdown(socket.SHUT_WR)
            with suppress(ConnectionResetError):
                while some := line.recv(1 << 16):
                    heard += some
        for answer in commands_in(bytes(heard)):
            if number(answer, 0x0100) == 0x8001 and number(answer, 0x0900) == 0:
                self.told.add(text(answer, 0x1000))
        return bytes(heard)

    def post(self, body: bytes, content_type: str, path: str = "/studies") -> httpx.Response:
        """Send a STOW-RS request, of whatever kind."""
        return self.ask("POST", path, content=body, headers={
            "content-type": content_type, "accept": "application/dicom+json",
        })  # fmt: skip

    def post_file(self, file: Damaged) -> httpx.Response:
        """Send one file as the only part of a STOW-RS request."""
        body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + file.octets + b"\r\n--b--\r\n"
        return self.post(body, 'multipart/related; type="application/dicom"; boundary=b')

    # -- what must hold ----------------------------------------------------------------------

    def stored(self) -> dict[str, str]:
        """Return SOP Instance UID -> key of everything the ledger holds."""
        return {
            uid: key
            for recorded in self.imaging.house.facts.read(0, 1_000_000)
            if isinstance(fact := recorded.fact, InstancesStored)
            for uid, key in zip(fact.sop_uids, fact.sha256, strict=True)
        }

    def check(self, refused: Iterable[str] = ()) -> None:
        """Prove that all is well; `refused` are SOP Instance UIDs that must not be there."""
        self.no_defects()
        stored, blobs = self.stored(), self.imaging.blobs
        missing = self.acknowledged.keys() - stored.keys()
        assert not missing, f"acknowledged and not recorded: {sorted(missing)[:3]}"
        missing = self.told - stored.keys()
        assert not missing, f"told to be stored and not recorded: {sorted(missing)[:3]}"
        half = stored.keys() & set(refused)
        assert not half, f"refused and recorded: {sorted(half)[:3]}"
        for uid, sent in self.acknowledged.items():
            assert blobs.read(stored[uid]).endswith(sent), f"{uid} is not what was sent"
        assert self.left_over() == []
        assert verify(self.imaging.house.facts.recorder).ok
        self.next_request_works()

    def no_defects(self) -> None:
        """Prove that nobody stumbled."""
        assert self._defects.said == []

    def left_over(self) -> list[Path]:
        """Return files of receptions that are over."""
        return [
            path
            for path in self.imaging.blobs._incoming.rglob("*")
            if path.is_file() and path.name != ".lock"
        ]

    def next_request_works(self) -> None:
        """Prove that a good image is stored, found and given back on both doors."""
        self._number += 1
        good = instance(self._number, study="GOOD", size=16)
        file = octets(good)
        sound = Damaged("good", file, file[144 + int.from_bytes(file[140:144], "little") :],
                        CT, str(good.SOPInstanceUID), EXPLICIT)  # fmt: skip
        assert self.send([sound]) == [0]
        found = self.ask("GET", f"/instances?SOPInstanceUID={good.SOPInstanceUID}")
        assert found.status_code == 200, found.text
        assert len(found.json()) == 1

    def look_at(self, sop_uid: str) -> None:
        """Ask for everything that can be asked of a stored instance: answered, never a defect."""
        found = self.ask("GET", f"/instances?SOPInstanceUID={sop_uid}&includefield=all")
        assert found.status_code == 200, f"{sop_uid} is not found: {found.text}"
        (told,) = found.json()
        study, series = (told[tag]["Value"][0] for tag in ("0020000D", "0020000E"))
        instance_ = f"/studies/{study}/series/{series}/instances/{sop_uid}"
        whole = self.ask("GET", instance_, headers=_AS_STORED)
        assert whole.status_code == 200, whole.text
        assert whole.content == self.imaging.blobs.read(self.stored()[sop_uid])
        metadata = self.ask("GET", f"{instance_}/metadata")
        assert metadata.status_code == 200, metadata.text
        for path, headers in (
            ("/metadata", {"accept": "application/dicom+xml"}),
            ("", {"accept": 'application/dicom; transfer-syntax="1.2.840.10008.1.2.1"'}),
            ("", {"accept": 'application/dicom; transfer-syntax="1.2.840.10008.1.2.4.80"'}),
            ("/frames/1", {"accept": "application/octet-stream"}),
            ("/frames/1", {"accept": '*/*; transfer-syntax="*"'}),
            ("/rendered", _JPEG),
            ("/thumbnail", _JPEG),
            ("/bulkdata/7FE00010", {}),
        ):
            answer = self.ask("GET", instance_ + path, headers=headers)
            assert answer.status_code < 500, f"{path} of {sop_uid}: {answer.text}"


@contextmanager
def target(folder: Path, **engine: str) -> Generator[Target]:
    """Give an archive with its doors, in this process; `engine` as for `imaging`."""
    defects = Defects()
    logging.getLogger("pianku").addHandler(defects)
    threads, renderers = ThreadPoolExecutor(4), ThreadPoolExecutor(2)
    with imaging(folder, **engine) as made:
        app = DicomWeb(
            Archive(
                blobs=made.blobs, stored=made.stored, index=made.index, searches=made.searches,
                storage=made.storage, intake=made.intake, guard=made.house.guard, clause=clause,
                threads=threads, renderers=renderers, limits=Limits(),
            )
        )  # fmt: skip
        receiver = Receiver(
            intake=made.intake, blobs=made.blobs, guard=OpenGuard(), limits=quick(),
            study_index=made.searches, storage_map=made.storage,
        )  # fmt: skip
        try:
            yield Target(made, app, receiver, defects)
        finally:
            receiver.stop()
            threads.shutdown()
            renderers.shutdown()
            logging.getLogger("pianku").removeHandler(defects)


def commands_in(octets_: bytes) -> list[dict[int, bytes]]:
    """Return the command sets that a door sent, each in one fragment as ours are."""
    found, at = [], 0
    while at + 12 <= len(octets_):
        length = int.from_bytes(octets_[at + 2 : at + 6], "big")
        if octets_[at] == 4 and octets_[at + 11] & 1:
            found.append(command(octets_[at + 12 : at + 6 + length]))
        at += 6 + length
    return found


def resident_octets() -> int:
    """Return the resident memory of this process (Linux /proc), what it has free given back."""
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise AssertionError("the kernel tells no VmRSS")


def dimse_threads() -> list[threading.Thread]:
    """Return the threads that serve associations."""
    return [thread for thread in threading.enumerate() if thread.name == "dimse"]
