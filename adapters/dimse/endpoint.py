"""The DIMSE door: accepts connections and gives each a thread and an association.

PS3.8 9.1 (TCP), PS3.15 B (TLS). One a process on a socket it is given, so that several
processes can share a port. Started by `server.wiring`.
"""

from __future__ import annotations

import hashlib
import logging
import selectors
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Final

from adapters.dimse.association import Association, Scp, Services
from adapters.dimse.c_echo import echo
from adapters.dimse.c_find import FindScp, Index
from adapters.dimse.c_get import GetScp
from adapters.dimse.c_move import MoveScp
from adapters.dimse.c_store import StoreScp
from adapters.dimse.contexts import Operation
from adapters.dimse.limits import Limits
from adapters.dimse.n_action import CommitmentScp, Commits
from adapters.dimse.places import Places
from adapters.dimse.ports import Guard, Intake
from adapters.dimse.retrieval import Map, Sources
from adapters.dimse.wire import Wire
from adapters.dimse.worklist import Worklist, WorklistScp
from kernel.refusals import Refusal
from registry.access.values import Subject
from repository.tiers.ports import BlobStore
from workflows.retrieve_object import Corrections, uncorrected

log = logging.getLogger("pianku.dimse")
_LOOK_UP_SECONDS: Final = 0.5
_GIVE_WAY_SECONDS: Final = 0.003
"""For each association that is open: longer than another process needs to wake and accept."""
_LONGEST_WAY_SECONDS: Final = 0.012
_FINISH_SECONDS: Final = 60.0
_SILENT: Final = 32
"""Connections more than associations that may wait to say who they are."""

Secured = tuple[socket.socket, ssl.SSLContext]
"""A listening socket and how it is made secure."""


class DimseServer:
    """Receives associations for one AE title until it is stopped."""

    def __init__(  # noqa: PLR0913 - what a door stands on, by keyword
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
        more: Services | None = None,
        corrections: Corrections = uncorrected,
        limits: Limits | None = None,
        secured: Secured | None = None,
    ) -> None:
        """Serve on `listener` in clear text, and on that of `secured` by TLS."""
        self._ae_title = ae_title
        self._doors: list[tuple[socket.socket, ssl.SSLContext | None]] = [(listener, None)]
        if secured is not None:
            self._doors.append(secured)
        self._guard = guard
        self._limits = limits or Limits()
        self._places = Places(self._limits.max_associations, self._limits.places)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._wires: set[Wire] = set()
        self._shaking: set[ssl.SSLSocket] = set()
        sources = Sources(study_index, storage_map, blobs, corrections)
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
        self._services.update(more or {})

    def run(self) -> None:
        """Accept associations until `stop`; returns when those under way have finished."""
        with selectors.DefaultSelector() as waiting:
            for door in self._doors:
                door[0].setblocking(False)
                waiting.register(door[0], selectors.EVENT_READ, door)
            while not self._stopping.is_set():
                for key, _ in waiting.select(_LOOK_UP_SECONDS):
                    self._accept(*key.data)
        for listener, _ in self._doors:
            with suppress(OSError):
                listener.close()
        self._finish()

    def stop(self) -> None:
        """Accept nothing more; operations under way are finished. From any thread or signal."""
        self._stopping.set()

    def _give_way(self) -> None:
        """Let a receiver that has fewer associations be the first to accept."""
        if self._limits.receivers > 1:
            self._stopping.wait(min(len(self._threads) * _GIVE_WAY_SECONDS, _LONGEST_WAY_SECONDS))

    def _accept(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        self._give_way()
        try:
            sock, peer = listener.accept()
        except BlockingIOError:
            return  # several processes wait on one socket: another was first
        except OSError as problem:
            if not self._stopping.is_set():
                # Out of file descriptors, for example: a moment may help, a busy loop does not.
                log.warning("cannot accept", extra={"problem": problem.strerror})
                self._stopping.wait(_LOOK_UP_SECONDS)
            return
        sock.setblocking(True)
        # Who has not asked for an association yet takes no place from those that have one; but
        # there is an end to silent connections too.
        most = 2 * self._limits.max_associations + _SILENT
        with self._lock:
            too_many = len(self._threads) >= most
        if too_many:
            sock.close()
            return
        thread = threading.Thread(
            target=self._serve, args=(sock, str(peer[0]), tls), name="dimse", daemon=True
        )
        with self._lock:
            self._threads.add(thread)
        thread.start()

    def _serve(self, sock: socket.socket, address: str, tls: ssl.SSLContext | None) -> None:
        try:
            fingerprint = None
            if tls is not None:
                sock = tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                fingerprint = self._shake_hands(sock)
            wire = Wire(sock, self._limits)
            with self._lock:
                self._wires.add(wire)
            try:
                self._associate(wire, address, fingerprint)
            finally:
                with self._lock:
                    self._wires.discard(wire)
        except ssl.SSLError as problem:
            self._not_secure(address, problem)
        except OSError:
            log.info("connection failed", extra={"address": address})
        except Exception:
            log.exception("association failed", extra={"address": address})
        finally:
            with suppress(OSError):
                sock.close()
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _shake_hands(self, sock: ssl.SSLSocket) -> str:
        """Return the fingerprint of the peer's certificate, empty when he shows none."""
        with self._lock:
            self._shaking.add(sock)
        try:
            # The time is for the whole handshake, however slowly its octets drip.
            sock.settimeout(self._limits.artim_seconds)
            sock.do_handshake()
        finally:
            with self._lock:
                self._shaking.discard(sock)
        shown = sock.getpeercert(binary_form=True)
        return hashlib.sha256(shown).hexdigest() if shown else ""

    def _not_secure(self, address: str, problem: ssl.SSLError) -> None:
        """Record a handshake that failed: somebody knocked who is not known, or not able."""
        stranger = Subject("unknown", "tls", address=address)
        reason = (problem.reason or type(problem).__name__).lower()
        log.info("handshake failed", extra={"address": address, "problem": reason})
        try:
            self._guard.record(stranger, "login", "denied", "dimse.tls", detail=reason)
        except Refusal as refusal:
            log.warning("access not recorded", extra={"code": refusal.code})

    def _associate(self, wire: Wire, address: str, fingerprint: str | None) -> None:
        Association(
            wire,
            address,
            ae_title=self._ae_title,
            guard=self._guard,
            limits=self._limits,
            services=self._services,
            stopping=self._stopping,
            places=self._places,
            fingerprint=fingerprint,
        ).run()

    def _finish(self) -> None:
        deadline = time.monotonic() + _FINISH_SECONDS
        with self._lock:
            for sock in self._shaking:
                with suppress(OSError):
                    # The transport alone: the handshake is another thread's.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
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
