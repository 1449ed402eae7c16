"""How much a peer may send and how long he may take: every bound of the DIMSE door.

PS3.8 9.1.5 (ARTIM timer), D.1 (Maximum Length). Made by `server.dimse_door` from the settings.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Secure = Callable[[socket.socket, str], socket.socket]
"""Makes a connection to an AE title secure where it is to be; raises OSError."""


def as_it_is(sock: socket.socket, _ae_title: str) -> socket.socket:
    """Leave a connection in clear text."""
    return sock


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one receiver process."""

    receivers: int = 1
    """Processes that wait on the same sockets."""
    max_associations: int = 64
    """More are rejected as local-limit-exceeded; the peer may try again."""
    places: Path | None = None
    """Folder in which receivers share how many associations an AE title has."""
    max_pdu: int = 1 << 20
    """Octets of one P-DATA-TF PDU we take; told to the peer."""
    max_dataset: int = 8 << 30
    """Octets of one data set in C-STORE; beyond it the association is aborted."""
    max_identifier: int = 1 << 20
    """Octets of an identifier (C-FIND, C-MOVE, C-GET) or a command set."""
    max_results: int = 65_535
    """Matches of one query or retrieval."""
    relational_queries: bool = True
    """Take queries without the unique keys above also where that was not agreed on."""
    artim_seconds: float = 30.0
    """From the connection to the whole A-ASSOCIATE-RQ (and the TLS handshake)."""
    idle_seconds: float = 600.0
    """Between two messages."""
    stall_seconds: float = 30.0
    """Without a single octet inside a message, or without the peer taking ours."""
    slow_grace_seconds: float = 60.0
    """After this a message must come faster than `slow_rate`."""
    slow_rate: int = 4096
    """Octets a second."""
    connect_seconds: float = 10.0
    """To reach a C-MOVE destination."""
    private_sop_classes: bool = True
    """Store SOP classes that are not the standard's, as they come."""
    transfer_syntaxes: tuple[str, ...] = ()
    """Private transfer syntaxes to accept besides those of the standard."""
    original_ae_title: str = ""
    """Who calls this AE title instead of ours is given stored headers; none when empty."""
    secure: Secure = as_it_is
    """How associations of ours become TLS, for AEs that are reached by it."""
