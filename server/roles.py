"""What each role process does: projector, web, dimse, mllp.

Design A2, A10. Called by `server.processes` as the first thing of a role process.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from typing import Final

import uvicorn

from server.logs import configure
from server.processes import RoleOrder, stop_with_parent
from server.wiring import Installation

log = logging.getLogger("pianku.roles")
_KEEP_ALIVE_SECONDS: Final = 75
_WEBSOCKET_OCTETS: Final = 1 << 16
"""Of a message that comes in; nothing that comes in is listened to."""


def run(order: RoleOrder, tell_ready: Callable[[], None]) -> None:
    """Be the role that the order names, until SIGTERM or the parent goes away."""
    node = f"{socket.gethostname()}-{order.role}{order.number}"
    with Installation(order.settings, node=node) as installation:
        if order.role == "projector":
            _project(installation, tell_ready)
        elif order.listener is not None:
            if order.role == "dimse":
                _dimse(installation, order.listener, tell_ready, secured=order.secured)
                return
            doors = {"web": _web, "mllp": _mllp}
            doors[order.role](installation, order.listener, tell_ready)


def _on_stop(stop: Callable[[], None]) -> None:
    def handle(_signal: int, _frame: object) -> None:
        # Not in the handler itself: `stop` takes locks that the interrupted code may hold.
        threading.Thread(target=stop, name="stop").start()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    stop_with_parent(stop)


def _project(installation: Installation, tell_ready: Callable[[], None]) -> None:
    """Apply events to views, publish complete studies, seal the ledgers."""
    from server.background import background_work  # noqa: PLC0415 - a role loads only its own

    stopping = threading.Event()
    runner = installation.runner
    runner.drop_retired()

    def stop() -> None:
        stopping.set()
        runner.stop()

    _on_stop(stop)
    threads = [
        threading.Thread(target=work, args=(stopping,), name=name)
        for name, work in background_work(installation)
    ]
    for thread in threads:
        thread.start()
    tell_ready()
    try:
        runner.run()
    finally:
        stop()
        for thread in threads:
            thread.join()


class _Server(uvicorn.Server):
    """Tells the parent when the application answers."""

    def __init__(self, config: uvicorn.Config, tell_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell_ready = tell_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._tell_ready()


def _web(
    installation: Installation, listener: socket.socket, tell_ready: Callable[[], None]
) -> None:
    from server.slow_peers import PatientProtocol  # noqa: PLC0415 - a role loads only its own
    from server.web_door import web_app  # noqa: PLC0415

    settings = installation.settings.http
    config = uvicorn.Config(
        web_app(installation),
        http=PatientProtocol,
        loop="uvloop",
        lifespan="off",
        ws="wsproto",
        ws_max_size=_WEBSOCKET_OCTETS,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=10,
        backlog=512,
    )
    config.load()
    if settings.tls_certificate:
        config.ssl = _tls_context(settings.tls_certificate, settings.tls_key, settings.client_ca)
    server = _Server(config, tell_ready)

    def stop() -> None:
        server.should_exit = True

    # uvicorn raises the signal it was stopped by once more when it is done: by then it means
    # nothing, and the installation has to be closed in order.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _signal, _frame: None)
    stop_with_parent(stop)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as loop:
        loop.run(server.serve(sockets=[listener]))


def _tls_context(certificate: str, key: str, client_ca: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key or None)
    if client_ca:
        context.load_verify_locations(client_ca)
        # Optional, not required: browsers come without one and sign in by password.
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _dimse(
    installation: Installation,
    listener: socket.socket,
    tell_ready: Callable[[], None],
    *,
    secured: socket.socket | None,
) -> None:
    from server.dimse_door import dimse_server  # noqa: PLC0415 - a role loads only its own

    server = dimse_server(installation, listener, secured)
    _on_stop(server.stop)
    tell_ready()
    server.run()


def _mllp(
    installation: Installation, listener: socket.socket, tell_ready: Callable[[], None]
) -> None:
    from server.mllp_door import mllp_server  # noqa: PLC0415 - a role loads only its own

    server = mllp_server(installation, listener)
    _on_stop(server.stop)
    tell_ready()
    server.run()


def main(order: RoleOrder, tell_ready: Callable[[], None]) -> None:
    """Be the role of an order; a failure at start ends with exit code 1."""
    configure()
    try:
        run(order, tell_ready)
    except Exception:
        log.exception("role failed", extra={"role": order.role})
        sys.exit(1)
