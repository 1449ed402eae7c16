"""A real Pianku: the server as a user starts it, in a temporary folder, on free ports.

Design A10 (the outside contract): flags, the lines `ready` and `loaded`, `demo.json`, exit code 0
on SIGTERM. Called by walks, soak tests and benchmarks; nothing here imports the product.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

import httpx

from tests.support.modality import Node
from tests.support.peers import free_port

ROOT: Final = Path(__file__).resolve().parents[2]
FIRST_PASSWORD: Final = re.compile(r"account (\S+) with the password (\S+)")
"""What a first start of `serve` prints once."""
_READY_SECONDS: Final = 120
_STOP_SECONDS: Final = 60


class RunningPianku:
    """One installation: start, stop, kill, start again on the same data folder.

    A context manager: enters started, leaves stopped, and insists on exit code 0 unless killed.
    """

    def __init__(
        self, command: str = "demo", *, dsn: str | None = None,
        settings: Mapping[str, str] | None = None, flags: Sequence[str] = (),
        parent: Path | None = None,
    ) -> None:  # fmt: skip
        self.folder = Path(tempfile.mkdtemp(prefix="pianku-test-", dir=parent))
        self.data = self.folder / "data"
        self.command = command
        self.flags = tuple(flags)
        self.http_port, self.dimse_port, self.mllp_port = free_port(), free_port(), free_port()
        self.dsn = dsn
        self.schema = f"walk_{uuid4().hex[:10]}" if dsn else ""
        self.said: list[str] = []
        """The lines of standard output since the last start."""
        self.process: subprocess.Popen[str] | None = None
        self.ready_seconds = 0.0
        self._own_password = ""
        self._settings = dict(settings or {})
        self._scheme = "https" if "PIANKU_HTTP__TLS_CERTIFICATE" in self._settings else "http"

    @property
    def engine(self) -> str:
        """The ledger's engine."""
        return "postgresql" if self.dsn else "sqlite"

    @property
    def environment(self) -> dict[str, str]:
        """The environment the server and `cli` run with."""
        kept = {k: v for k, v in os.environ.items()
                if not k.startswith("PIANKU_") or k.startswith("PIANKU_TEST_")}  # fmt: skip
        ledger: dict[str, str] = {}
        if self.dsn:
            secret = self.folder / "dsn"
            secret.write_text(self.dsn, encoding="utf-8")
            secret.chmod(0o600)
            ledger = {
                "PIANKU_LEDGER__ENGINE": "postgresql",
                "PIANKU_LEDGER__DSN_FILE": str(secret),
                "PIANKU_LEDGER__SCHEMA": self.schema,
            }
        return {**kept, "TCP_NODELAY": "1", "PYTHONPATH": str(ROOT), **ledger, **self._settings}

    @property
    def http(self) -> str:
        """The address of the HTTP door."""
        return f"{self._scheme}://127.0.0.1:{self.http_port}"

    @property
    def node(self) -> Node:
        """The DICOM door."""
        return Node("PIANKU", self.dimse_port)

    @property
    def demo(self) -> dict[str, Any]:
        """What `demo` wrote for clients: addresses, identifiers, accounts, tokens."""
        written: dict[str, Any] = json.loads((self.data / "demo.json").read_text("utf-8"))
        return written

    def token(self, role: str = "clinician") -> dict[str, str]:
        """Return the Authorization header of a demo token."""
        return {"Authorization": f"Bearer {self.demo['tokens'][role]}"}

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, kind: object, problem: object, trace: object) -> None:
        try:
            code = self.stop()
            assert code == 0 or kind is not None, f"exit code {code}\n{self.log()}"
        finally:
            self.remove()

    def start(self, *, until: str = "ready") -> None:
        """Start the server and wait for a line of its standard output."""
        self.said.clear()
        began = time.monotonic()
        log = (self.folder / "stderr").open("a", encoding="utf-8")
        with log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "server.cli.main", self.command,
                 "--data", str(self.data), "--http", f"127.0.0.1:{self.http_port}",
                 "--dimse", f"127.0.0.1:{self.dimse_port}",
                 "--mllp", f"127.0.0.1:{self.mllp_port}", *self.flags],
                cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()
        self.wait_for_line(until)
        self.ready_seconds = time.monotonic() - began

    def wait_for_line(self, line: str, seconds: float = _READY_SECONDS) -> None:
        """Wait until the server printed a line that begins so."""
        assert self.process is not None
        deadline = time.monotonic() + seconds
        while not any(said.startswith(line) for said in tuple(self.said)):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"no line {line!r} from `pianku {self.command}`\n{self.log()}")
            time.sleep(0.02)

    def stop(self) -> int:
        """Ask the server to stop (SIGTERM) and return its exit code."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill(process)
            raise AssertionError(f"SIGTERM did not stop the server\n{self.log()}") from None

    def kill(self) -> None:
        """Kill every process of the installation at once, as a power cut would."""
        if self.process is not None:
            process, self.process = self.process, None
            self._kill(process)

    def remove(self) -> None:
        """Kill what still runs and remove the data."""
        self.kill()
        if self.dsn:
            from tests.support.postgres import drop_schema  # noqa: PLC0415 - needs a server

            drop_schema(self.dsn, self.schema)
        shutil.rmtree(self.folder, ignore_errors=True)

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a `pianku` command on this installation's data."""
        done = subprocess.run(
            [sys.executable, "-m", "server.cli.main", "--data", str(self.data), *arguments],
            cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=180, check=False,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(f"{arguments} ended with {done.returncode}\n"
                                 f"{done.stdout[-2000:]}{done.stderr[-3000:]}")  # fmt: skip
        return done

    def administer(self, path: str, body: Mapping[str, Any]) -> None:
        """Do what the security administrator does on his pages."""
        with httpx.Client(base_url=f"{self.http}/api/v1/", verify=False, timeout=60) as web:
            web.headers.update(
                self.token("security_admin") if self.command == "demo" else self._signed_in(web)
            )
            answer = web.post(path, json=body)
        assert answer.status_code == 201, answer.text

    def trust_certificate(self, fingerprint: str, label: str, role: str) -> None:
        """Let a TLS client certificate stand for a system."""
        self.administer(
            "certificates", {"fingerprint": fingerprint, "label": label, "roles": [role]}
        )

    def allow_destination(self, ae_title: str, port: int) -> None:
        """Tell the installation of a DICOM node on the loopback that it may move to."""
        rights = ["echo", "store", "find", "move", "get"]
        self.administer("ae-titles", {
            "ae_title": ae_title, "networks": ["127.0.0.0/8"], "rights": rights,
            "host": "127.0.0.1", "port": port,
        })  # fmt: skip

    def _signed_in(self, web: httpx.Client) -> dict[str, str]:
        """Sign in with the password of the first start, changed at once as it must be."""
        found = [m.groups() for m in map(FIRST_PASSWORD.search, self.said) if m]
        password = self._own_password or found[0][1]
        session = web.post("session", json={"user": "secadmin", "password": password})
        assert session.status_code == 200, session.text
        csrf = {"X-Pianku-Csrf": session.json()["csrf"]}
        if not self._own_password:
            self._own_password = f"Walk-{uuid4().hex}+1"
            changed = web.put(
                "session/password",
                json={"current": password, "new": self._own_password}, headers=csrf,
            )  # fmt: skip
            assert changed.status_code == 200, changed.text
            csrf = {"X-Pianku-Csrf": changed.json()["csrf"]}
        return csrf

    def log(self, characters: int = 4000) -> str:
        """Return what the server said lately, for failure messages."""
        errors = (self.folder / "stderr").read_text("utf-8", errors="replace")
        return "\n".join((*self.said[-20:], errors[-characters:]))

    def processes(self) -> list[int]:
        """Return the process ids of the supervisor and all its descendants."""
        return [] if self.process is None else family(self.process.pid)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            self.said.extend(line.rstrip("\n") for line in process.stdout)

    def _kill(self, process: subprocess.Popen[str]) -> None:
        # The parent first, stopped, so that it cannot restart a role while we kill its children.
        doomed = family(process.pid)
        for pid in doomed:
            _signal(pid, signal.SIGSTOP)
        for pid in {*doomed, *family(process.pid)}:
            _signal(pid, signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 10
        while any(_alive(pid) for pid in doomed) and time.monotonic() < deadline:
            time.sleep(0.01)


def family(pid: int) -> list[int]:
    """Return a process and its descendants, parents first (Linux /proc)."""
    found = [pid]
    for member in found:
        for tasks in Path(f"/proc/{member}/task").glob("*/children"):
            try:
                found.extend(int(child) for child in tasks.read_text().split())
            except OSError:
                continue
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return user and system seconds of processes and of their ended children."""
    tick = os.sysconf("SC_CLK_TCK")
    total = 0
    for pid in pids:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        except OSError:
            continue
        fields = re.sub(r"^.*\)", "", stat).split()
        total += sum(int(field) for field in fields[11:15])
    return total / tick


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
