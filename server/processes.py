"""One parent that binds the doors, starts the role processes and stops them cleanly.

Design A2, A10: roles are web, dimse, mllp and projector; the line `ready` comes when all answer.
Called by `serve` and `demo`; a role process is entered through `server.roles`.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
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


class CannotStart(Unavailable):
    """A door or a role could not be started."""

    code = "cannot_start"


class RoleOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What a role process is told on its standard input: one line of JSON."""

    role: str
    number: int
    settings: Settings
    socket_fd: int | None = None


@dataclass
class _Child:
    role: str
    number: int
    process: subprocess.Popen[bytes]
    ready: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.monotonic)


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
    listener.set_inheritable(True)
    return listener


class Supervisor:
    """Starts, watches, restarts and stops the role processes of one installation."""

    def __init__(self, settings: Settings, roles: Iterable[str] = ROLES) -> None:
        self.roles = tuple(role for role in ROLES if role in set(roles))
        self._stopping = threading.Event()
        self._children: list[_Child] = []
        self._deaths: list[float] = []
        self._failed = False
        self._lock = self._claim_directory(settings.directory)
        self._sockets = self._bind_doors(settings)
        self.settings = self._with_ports(settings)

    def _claim_directory(self, directory: Path) -> IO[str]:
        directory.mkdir(parents=True, exist_ok=True)
        # Roles started apart on one host share the folder: each role set has a lock of its own.
        handle = (directory / f"lock-{'-'.join(self.roles)}").open("w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            raise CannotStart("another instance runs on this data folder") from problem
        return handle

    def _bind_doors(self, settings: Settings) -> dict[str, socket.socket]:
        doors = {
            "web": (settings.http.host, settings.http.port),
            "dimse": (settings.dimse.host, settings.dimse.port),
            "mllp": (settings.mllp.host, settings.mllp.port),
        }
        return {role: bind(*door) for role, door in doors.items() if role in self.roles}

    def _with_ports(self, settings: Settings) -> Settings:
        """Return the settings with the ports that were really bound (port 0 asks for any)."""
        doors: dict[str, Any] = {}
        for role, name in (("web", "http"), ("dimse", "dimse"), ("mllp", "mllp")):
            if role in self._sockets:
                port = self._sockets[role].getsockname()[1]
                doors[name] = msgspec.structs.replace(getattr(settings, name), port=port)
        return msgspec.structs.replace(settings, **doors)

    def start(self) -> None:
        """Start every role and return when all are ready; raises CannotStart."""
        counts = {"web": self.settings.http.workers, "dimse": self.settings.dimse.receivers}
        for role in self.roles:
            for number in range(counts.get(role, 1)):
                self._children.append(self._spawn(role, number))
        deadline = time.monotonic() + _START_SECONDS
        for child in self._children:
            while not child.ready.wait(0.05):
                if child.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise CannotStart(f"the role {child.role} did not start")

    def _spawn(self, role: str, number: int) -> _Child:
        listener = self._sockets.get(role)
        fds = () if listener is None else (listener.fileno(),)
        process = subprocess.Popen(
            [sys.executable, "-m", "server.roles"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=fds,
            # A Ctrl-C in the terminal reaches the parent only, which then stops us in order.
            start_new_session=True,
        )
        order = RoleOrder(
            role=role, number=number, settings=self.settings, socket_fd=fds[0] if fds else None
        )
        child = _Child(role, number, process)
        if process.stdin is None or process.stdout is None:
            raise CannotStart("no pipe to the role process")
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        process.stdin.flush()
        threading.Thread(
            target=_await_ready, args=(child, process.stdout), daemon=True, name=f"ready-{role}"
        ).start()
        return child

    def watch(self, while_running: Callable[[], None] | None = None) -> int:
        """Restart what dies until told to stop; returns the exit code for the shell."""
        while not self._stopping.wait(0.2):
            if while_running is not None:
                while_running()
            for index, child in enumerate(self._children):
                if child.process.poll() is None:
                    continue
                log.error(
                    "role ended", extra={"role": child.role, "exit_code": child.process.returncode}
                )
                if self._too_many_deaths():
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
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        for child in self._children:
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.error("role killed", extra={"role": child.role})  # noqa: TRY400 - no trace
                child.process.kill()
                child.process.wait()
        for listener in self._sockets.values():
            listener.close()
        self._lock.close()


def _await_ready(child: _Child, stream: IO[bytes]) -> None:
    for line in stream:
        if line.strip() == b"ready":
            child.ready.set()


def read_order() -> RoleOrder:
    """Return what this role process is told to be, from standard input."""
    return msgspec.json.decode(sys.stdin.buffer.readline(), type=RoleOrder)


def tell_ready() -> None:
    """Tell the parent that this role answers."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def stop_with_parent(stop: Callable[[], None]) -> None:
    """Call `stop` when the parent goes away (its end of our standard input closes)."""

    def wait() -> None:
        with contextlib.suppress(OSError, ValueError):
            while os.read(0, 4096):
                pass
        stop()

    threading.Thread(target=wait, daemon=True, name="parent-watch").start()
