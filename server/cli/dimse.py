"""`pianku dimse echo|store|find|move|get|commit|mpps|ian`: a small DICOM SCU for troubleshooting.

PS3.4 A, B, C, J; options are named as dcmtk's tools name them. Exit code 1 when the other side
refuses, with its status.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from server.cli.dimse_peer import check, is_good, peer_of, with_peer
from server.cli.dimse_steps import ian, mpps

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from server.dimse_client import Moved

_F = TypeVar("_F", bound=Callable[..., Any])
_FILES: Final = click.Path(exists=True, path_type=Path)


@click.group("dimse")
def command() -> None:
    """Verify, send, find and fetch by DIMSE, at this or any other DICOM node."""


command.add_command(mpps)
command.add_command(ian)


def _query(wrapped: _F) -> _F:
    """Add what is asked for."""
    for option in (
        click.option(
            "-k", "--key", "keys", multiple=True, required=True, help="Keyword=value; repeat."
        ),
        click.option("-S", "--study", "root", flag_value="study", default=True, help="Study Root."),
        click.option("-P", "--patient", "root", flag_value="patient", help="Patient Root."),
    ):
        wrapped = option(wrapped)
    return wrapped


@command.command("echo")
@with_peer
def echo(**peer: Any) -> None:
    """Verify that HOST PORT answers (C-ECHO)."""
    from server import dimse_client

    check("C-ECHO", dimse_client.echo(peer_of(peer)))


@command.command("store")
@with_peer
@click.argument("files", nargs=-1, required=True, type=_FILES)
def store(files: tuple[Path, ...], **peer: Any) -> None:
    """Send FILES and folders to HOST PORT (C-STORE), each as it is encoded."""
    from server import dimse_client

    refused = 0
    sent = 0

    def tell(path: Path, status: int) -> None:
        nonlocal refused, sent
        sent += 1
        if not is_good(status):
            refused += 1
            click.echo(f"{path}: {status:04X}", err=True)

    dimse_client.store(peer_of(peer), files, tell)
    click.echo(f"{sent - refused} of {sent} stored")
    if refused:
        raise click.ClickException(f"{refused} instances were refused")


@command.command("find")
@with_peer
@_query
@click.option("--json", "as_json", is_flag=True, help="Print DICOM JSON, an object a line.")
def find(root: str, keys: tuple[str, ...], *, as_json: bool, **peer: Any) -> None:
    """Ask HOST PORT what it has (C-FIND); -k QueryRetrieveLevel=STUDY names the level."""
    from server import dimse_client

    count = 0

    def tell(match: Dataset) -> None:
        nonlocal count
        count += 1
        if as_json:
            click.echo(json.dumps(match.to_json_dict(), ensure_ascii=False))
        else:
            click.echo(f"# {count}\n{match}")

    check("C-FIND", dimse_client.find(peer_of(peer), root, keys, tell))


@command.command("move")
@with_peer
@_query
@click.option("-aem", "--move", "destination", required=True, help="AE title it is sent to.")
def move(root: str, keys: tuple[str, ...], destination: str, **peer: Any) -> None:
    """Have HOST PORT send to a third node (C-MOVE)."""
    from server import dimse_client

    _ended("C-MOVE", dimse_client.move(peer_of(peer), root, keys, destination))


@command.command("get")
@with_peer
@_query
@click.option(
    "-od", "--output-directory", "folder", default=".", type=click.Path(path_type=Path),
    help="Where files are written.",
)  # fmt: skip
def get(root: str, keys: tuple[str, ...], folder: Path, **peer: Any) -> None:
    """Fetch from HOST PORT (C-GET)."""
    from server import dimse_client

    _ended("C-GET", dimse_client.get(peer_of(peer), root, keys, folder))


@command.command("commit")
@with_peer
@click.argument("files", nargs=-1, required=True, type=_FILES)
@click.option("--wait", type=float, default=60.0, help="Seconds to wait for the report.")
@click.option("--listen", type=click.IntRange(0, 65535), default=0, help="Port for the report.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def commit(
    files: tuple[Path, ...], wait: float, listen: int, *, as_json: bool, **peer: Any
) -> None:
    """Ask HOST PORT to take responsibility for FILES (storage commitment)."""
    from server import dimse_client

    done = dimse_client.commit(peer_of(peer), files, wait=wait, listen=listen)
    if as_json:
        told = {
            "transaction": done.transaction_uid,
            "reported": done.is_reported,
            "committed": done.committed,
            "failed": {uid: f"{reason:04X}" for uid, reason in done.failed.items()},
        }
        click.echo(json.dumps(told))
    else:
        click.echo(f"{len(done.committed)} committed, {len(done.failed)} not")
        for uid, reason in done.failed.items():
            click.echo(f"{uid}: {reason:04X}", err=True)
    if done.status:
        raise click.ClickException(f"N-ACTION: {done.status:04X}")
    if not done.is_reported:
        raise click.ClickException("no report came")
    if done.failed:
        raise click.ClickException("not everything is committed")


@command.command("conformance")
def conformance() -> None:
    """Print the DICOM Conformance Statement, as this version negotiates."""
    from server.conformance import statement

    click.echo(statement(), nl=False)


def _ended(what: str, done: Moved) -> None:
    click.echo(f"{done.completed} sent, {done.warning} with warnings, {done.failed} failed")
    if done.status:
        raise click.ClickException(f"{what}: {done.status:04X}")
