"""What the commands of `pianku dimse` share: who is asked, as whom, and how an answer is told.

PS3.8 (association), PS3.7 C (status types). Used by `dimse.py` and `dimse_steps.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from server.dimse_client import Peer

_F = TypeVar("_F", bound=Callable[..., Any])
_FILE: Final = click.Path(dir_okay=False)


def with_peer(wrapped: _F) -> _F:
    """Add who is asked, and as whom."""
    for option in (
        click.argument("port", type=click.IntRange(1, 65535)),
        click.argument("host"),
        click.option("-to", "--timeout", type=float, default=30.0, help="Seconds to wait."),
        click.option("-aec", "--call", "called", default="PIANKU", help="AE title asked."),
        click.option("-aet", "--aetitle", "calling", default="PIANKUSCU", help="Our AE title."),
        click.option("--tls", is_flag=True, help="By TLS; implied by the options below."),
        click.option("--tls-ca", "ca", default="", type=_FILE, help="Authorities of HOST, PEM."),
        click.option("--tls-certificate", "certificate", default="", type=_FILE, help="Ours, PEM."),
        click.option("--tls-key", "key", default="", type=_FILE, help="Its private key, PEM."),
    ):
        wrapped = option(wrapped)
    return wrapped


def peer_of(told: dict[str, Any]) -> Peer:
    """Return who is asked."""
    from server.dicom_tls import requestor
    from server.dimse_client import Peer

    tls = None
    if told["tls"] or told["ca"] or told["certificate"]:
        tls = requestor(ca=told["ca"], certificate=told["certificate"], key=told["key"])
    return Peer(told["host"], told["port"], told["called"], told["calling"], told["timeout"], tls)


def is_good(status: int) -> bool:
    """Tell whether a status says that it was done, if with a warning."""
    return status == 0 or status & 0xF000 == 0xB000


def check(what: str, status: int) -> None:
    """End with exit code 1 unless a status says that it was done."""
    if not is_good(status):
        raise click.ClickException(f"{what}: {status:04X}")
