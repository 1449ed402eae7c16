"""The DIMSE door: accepts connections and gives each a thread and an association.

PS3.8 9.1 (TCP), PS3.15 B (TLS). One a process on a socket it is given, so that several
processes can share a port. Started by `server.wiring`.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Final

from adapters.dimse import encode, faults
from adapters.dimse.association import Association, Scp
from adapters.dimse.c_echo import echo
from adapters.dimse.c_find import FindScp, Index
from adapters.dimse.c_get import GetScp
from adapters.dimse.c_move import MoveScp
from adapters.dimse.c_store import StoreScp
from adapters.dimse.contexts import Operation
from adapters.dimse.limits import Limits
from adapters.dimse.n_action import CommitmentScp, Commits
from adapters.dimse.ports import Guard, Intake
from adapters.dimse.retrieval import Map, Sources
from adapters.dimse.wire import Wire
from adapters.dimse.worklist import Worklist, WorklistScp
from repository.tiers.ports import BlobStore

log = logging.getLogger("pianku.dimse")
_LOOK_UP_SECONDS: Final = 0.5
_FINISH_SECONDS: Final = 60.0


class DimseServer:
    """Receives associations for one AE title until it is stopped."""

    def __init__(
        self,
        *,
        ae_title: str,
        listener: socket.socket,
        intake: Intake,
        study_index: Index,
        storage_map: Map,
        blobs: BlobStore,
        guard: Guard,
        commits: Commits | None = None,
        worklist: Worklist | None = None,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._ae_title = ae_title
        self._listener = listener
        self._guard = guard
        self._limits = limits or Limits()
        self._tls = tls
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._wires: set[Wire] = set()
        sources = Sources(study_index, storage_map, blobs)
        self._services: dict[tuple[int, Operation], Scp] = {
            (0x0001, Operation.STORE): StoreScp(intake, blobs),
            (0x0010, Operation.GET): GetScp(sources),
            (0x0020, Operation.FIND): FindScp(study_index),
            (0x0021, Operation.MOVE): MoveScp(sources),
            (0x0030, Operation.ECHO): echo,
        }
        if commits is not None:
            self._services[0x0130, Operation.COMMIT] = CommitmentScp(commits)
        if worklist is not None:
            self._services[0x0020, Operation.WORKLIST] = WorklistScp(worklist)

    def run(self) -> None:
        """Accept associations until `stop`; returns when those under way have finished."""
        # Several processes may wait on one socket: whoever is late finds nothing to accept.
        self._listener.settimeout(_LOOK_UP_SECONDS)
        while not self._stopping.is_set():
            try:
                sock, peer = self._listener.accept()
            except TimeoutError:
                continue
            except OSError as problem:
                if self._stopping.is_set():
                    break
                # Out of file descriptors, for example: a moment may help, a busy loop does not.
                log.warning("cannot accept", extra={"problem": problem.strerror})
                self._stopping.wait(_LOOK_UP_SECONDS)
                continue
            self._welcome(sock, str(peer[0]))
        with suppress(OSError):
            self._listener.close()
        self._finish()

    def stop(self) -> None:
        """Accept nothing more; operations under way are finished. From any thread or signal."""
        self._stopping.set()

    def _welcome(self, sock: socket.socket, address: str) -> None:
        with self._lock:
            too_many = len(self._threads) >= self._limits.max_associations
        thread = threading.Thread(
            target=self._serve, args=(sock, address, too_many), name="dimse", daemon=True
        )
        with self._lock:
            self._threads.add(thread)
        thread.start()

    def _serve(self, sock: socket.socket, address: str, too_many: bool) -> None:
        try:
            if self._tls is not None:
                sock.settimeout(self._limits.artim_seconds)
                sock = self._tls.wrap_socket(sock, server_side=True)
            wire = Wire(sock, self._limits)
            with self._lock:
                self._wires.add(wire)
            try:
                self._associate(wire, address, too_many=too_many)
            finally:
                with self._lock:
                    self._wires.discard(wire)
        except (OSError, ssl.SSLError):
            log.info("connection failed", extra={"address": address})
        except Exception:
            log.exception("association failed", extra={"address": address})
        finally:
            with suppress(OSError):
                sock.close()
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _associate(self, wire: Wire, address: str, *, too_many: bool) -> None:
        if too_many:
            wire.send(encode.associate_reject(*faults.LOCAL_LIMIT_EXCEEDED))
            wire.close(is_stopping=self._stopping.is_set)
            return
        Association(
            wire,
            address,
            ae_title=self._ae_title,
            guard=self._guard,
            limits=self._limits,
            services=self._services,
            stopping=self._stopping,
        ).run()

    def _finish(self) -> None:
        deadline = time.monotonic() + _FINISH_SECONDS
        while True:
            with self._lock:
                threads = list(self._threads)
            if not threads:
                return
            if time.monotonic() > deadline:
                with self._lock:
                    for wire in self._wires:
                        wire.drop()
                return
            threads[0].join(_LOOK_UP_SECONDS)
