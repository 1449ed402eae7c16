"""One parent that binds the doors, starts the role processes and stops them cleanly.

Design A2, A10: roles are web, dimse, mllp and projector; the line `ready` comes when all answer.
Called by `serve` and `demo`; a role process is forked with its modules loaded and runs
`server.roles`.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from kernel.refusals import Unavailable
from server.settings import Settings

log = logging.getLogger("pianku.processes")
ROLES: Final = ("projector", "web", "dimse", "mllp")
_START_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 20.0
_RESTARTS_PER_MINUTE: Final = 5
_BACKLOG: Final = 512
_READY: Final = "ready"
_SECURED: Final = "dimse-tls"
_FORKING: Final = multiprocessing.get_context("forkserver")
_LOADED: Final = (
    "server.roles",
    "server.background",
    "server.dimse_door",
    "server.mllp_door",
    "server.web_door",
    "server.tls",
)
"""Modules that are imported once, for all role processes: four starts for the price of one."""


class CannotStart(Unavailable):
    """A door or a role could not be started."""

    code = "cannot_start"


@dataclass(frozen=True, slots=True)
class RoleOrder:
    """What a role process is told to be."""

    role: str
    number: int
    settings: Settings
    listener: socket.socket | None
    secured: socket.socket | None = None
    """A second door of the same role, for TLS (DICOM)."""


@dataclass
class _Child:
    role: str
    number: int
    process: ForkServerProcess
    told: Connection
    """Carries `ready` from the child."""
    is_ready: bool = False


def bind(host: str, port: int) -> socket.socket:
    """Return a listening TCP socket that children inherit; raises CannotStart."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as problem:
        listener.close()
        raise CannotStart(f"{host}:{port} cannot be bound: {problem.strerror}") from problem
    listener.listen(_BACKLOG)
    return listener


class Supervisor:
    """Starts, watches, restarts and stops the role processes of one installation."""

    def __init__(self, settings: Settings, roles: Iterable[str] = ROLES) -> None:
        self.roles = tuple(role for role in ROLES if role in set(roles))
        self._stopping = threading.Event()
        self._children: list[_Child] = []
        self._deaths: list[float] = []
        self._failed = False
        self._locks = self._claim_directory(settings.directory)
        _FORKING.set_forkserver_preload(list(_LOADED))
        # A signal to the whole group must not take the forking process from under the roles.
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        forkserver.ensure_running()  # it imports while we prepare
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        self._sockets = self._bind_doors(settings)
        self.settings = self._with_ports(settings)

    def _claim_directory(self, directory: Path) -> list[IO[str]]:
        directory.mkdir(parents=True, exist_ok=True)
        # Roles started apart on one host share the folder: each role has a lock of its own.
        handles: list[IO[str]] = [(directory / f"lock-{role}").open("w") for role in self.roles]
        try:
            for handle in handles:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            for handle in handles:
                handle.close()
            raise CannotStart("another instance runs on this data folder") from problem
        return handles

    def _bind_doors(self, settings: Settings) -> dict[str, socket.socket]:
        doors = {
            "web": (settings.http.host, settings.http.port),
            "dimse": (settings.dimse.host, settings.dimse.port),
            "mllp": (settings.mllp.host, settings.mllp.port),
        }
        bound: dict[str, socket.socket] = {
            role: bind(*door) for role, door in doors.items() if role in self.roles
        }
        if "dimse" in bound and settings.dimse.tls_certificate:
            bound[_SECURED] = bind(settings.dimse.host, settings.dimse.tls_port)
        return bound

    def _with_ports(self, settings: Settings) -> Settings:
        """Return the settings with the ports that were really bound (port 0 asks for any)."""
        doors: dict[str, Any] = {}
        for role, name in (("web", "http"), ("dimse", "dimse"), ("mllp", "mllp")):
            if role in self._sockets:
                port = self._sockets[role].getsockname()[1]
                doors[name] = msgspec.structs.replace(getattr(settings, name), port=port)
        if _SECURED in self._sockets:
            port = self._sockets[_SECURED].getsockname()[1]
            doors["dimse"] = msgspec.structs.replace(doors["dimse"], tls_port=port)
        return msgspec.structs.replace(settings, **doors)

    def start(self) -> None:
        """Start every role and return when all are ready; raises CannotStart."""
        counts = {"web": self.settings.http.workers, "dimse": self.settings.dimse.receivers}
        for role in self.roles:
            for number in range(counts.get(role, 1)):
                self._children.append(self._spawn(role, number))
        deadline = time.monotonic() + _START_SECONDS
        for child in self._children:
            while not _is_ready(child):
                if not child.process.is_alive() or time.monotonic() > deadline:
                    self.stop()
                    raise CannotStart(f"the role {child.role} did not start")

    def _spawn(self, role: str, number: int) -> _Child:
        told, telling = _FORKING.Pipe(duplex=False)
        secured = self._sockets.get(_SECURED) if role == "dimse" else None
        order = RoleOrder(role, number, self.settings, self._sockets.get(role), secured)
        process = _FORKING.Process(target=_be, args=(order, telling), name=f"pianku-{role}{number}")
        process.start()
        telling.close()
        return _Child(role, number, process, told)

    def watch(self, while_running: Callable[[], None] | None = None) -> int:
        """Restart what dies until told to stop; returns the exit code for the shell."""
        while not self._stopping.wait(0.2):
            if while_running is not None:
                while_running()
            for index, child in enumerate(self._children):
                if child.process.is_alive():
                    continue
                log.error(
                    "role ended", extra={"role": child.role, "exit_code": child.process.exitcode}
                )
                if _lives(child) or self._too_many_deaths():
                    # Reported dead yet alive: the forking process is gone, and with it our hold
                    # on the roles. A second set beside them would be worse than a new start.
                    self._failed = True
                    self._stopping.set()
                    break
                self._children[index] = self._spawn(child.role, child.number)
        self.stop()
        return 1 if self._failed else 0

    def _too_many_deaths(self) -> bool:
        moment = time.monotonic()
        self._deaths = [t for t in self._deaths if moment - t < 60] + [moment]
        return len(self._deaths) > _RESTARTS_PER_MINUTE

    def ask_to_stop(self, *_signal: object) -> None:
        """Make `watch` return; a signal handler."""
        self._stopping.set()

    def install_signals(self) -> None:
        """Stop cleanly on SIGTERM and Ctrl-C."""
        signal.signal(signal.SIGTERM, self.ask_to_stop)
        signal.signal(signal.SIGINT, self.ask_to_stop)

    def stop(self) -> None:
        """Stop the roles in reverse order of start, the doors before the projector."""
        self._stopping.set()
        for child in reversed(self._children):
            _signal(child, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        for child in self._children:
            child.process.join(max(0.1, deadline - time.monotonic()))
            while _lives(child) and time.monotonic() < deadline:
                time.sleep(0.05)
            if _lives(child):
                log.error("role killed", extra={"role": child.role})
                _signal(child, signal.SIGKILL)
        for listener in self._sockets.values():
            listener.close()
        for lock in self._locks:
            lock.close()


def _lives(child: _Child) -> bool:
    """Tell whether the process really runs, whatever the forking process says of it."""
    pid = child.process.pid
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return child.process.is_alive()
    return state != "Z"


def _signal(child: _Child, number: signal.Signals) -> None:
    if child.process.pid is not None and _lives(child):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.process.pid, number)


def _is_ready(child: _Child) -> bool:
    """Wait a moment for the child's word."""
    if not child.is_ready and child.told.poll(0.05):
        try:
            child.is_ready = child.told.recv() == _READY
        except EOFError:  # it ended; whoever asks sees that too
            time.sleep(0.05)
    return child.is_ready


def _be(order: RoleOrder, telling: Connection) -> None:
    """Be a role: the first function of its process, forked with all modules loaded."""
    from server.roles import main  # noqa: PLC0415 - it imports this module

    # A Ctrl-C in the terminal reaches the parent only, which then stops us in order.
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    with contextlib.suppress(OSError):  # a name for `ps`, where /proc lets us
        Path("/proc/self/comm").write_text(f"pianku-{order.role}", encoding="ascii")
    main(order, lambda: telling.send(_READY))


def stop_with_parent(stop: Callable[[], None]) -> None:
    """Call `stop` when the parent goes away."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
        stop()

    threading.Thread(target=wait, daemon=True, name="parent-watch").start()
