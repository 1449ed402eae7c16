"""`pianku dimse mpps create|complete|discontinue` and `pianku dimse ian`: to test other systems.

PS3.4 F.7 and R.3, SCU. Nothing is remembered between the calls: `create` prints the SOP Instance
UID that the others take. Called as a part of `server.cli.dimse`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from server.cli.dimse_peer import check, peer_of, with_peer

_FILES: Final = click.Path(exists=True, path_type=Path)


@click.group("mpps")
def mpps() -> None:
    """Say as a modality does that a procedure step begins and ends."""


@mpps.command("create")
@with_peer
@click.option("-k", "--key", "keys", multiple=True, help="Keyword=value; repeat.")
@click.option("--uid", default="", help="SOP Instance UID (default: a new one).")
def create(keys: tuple[str, ...], uid: str, **peer: Any) -> None:
    """Begin a step at HOST PORT (N-CREATE) and print its SOP Instance UID.

    Keys of the order, StudyInstanceUID and AccessionNumber for example, go where they belong.
    """
    from server import dimse_steps

    made, status = dimse_steps.create(peer_of(peer), keys, uid)
    check("N-CREATE", status)
    click.echo(made)


@mpps.command("complete")
@with_peer
@click.argument("uid")
@click.argument("files", nargs=-1, type=_FILES)
def complete(uid: str, files: tuple[Path, ...], **peer: Any) -> None:
    """Say to HOST PORT that step UID was performed and made FILES (N-SET)."""
    from server import dimse_steps

    check("N-SET", dimse_steps.end(peer_of(peer), uid, files))


@mpps.command("discontinue")
@with_peer
@click.argument("uid")
@click.argument("files", nargs=-1, type=_FILES)
@click.option(
    "--reason", default="110513", show_default=True, help="Code value of PS3.16 CID 9300."
)
def discontinue(uid: str, files: tuple[Path, ...], reason: str, **peer: Any) -> None:
    """Say to HOST PORT that step UID was given up, after FILES (N-SET)."""
    from server import dimse_steps

    check("N-SET", dimse_steps.end(peer_of(peer), uid, files, reason=reason))


@click.command("ian")
@with_peer
@click.argument("files", nargs=-1, required=True, type=_FILES)
@click.option("--retrieve", default="PIANKU", show_default=True, help="AE title that has them.")
def ian(files: tuple[Path, ...], retrieve: str, **peer: Any) -> None:
    """Tell HOST PORT that FILES are available (instance availability, one for each study)."""
    from server import dimse_steps

    for study_uid, status in dimse_steps.notify(peer_of(peer), files, retrieve):
        check("N-CREATE", status)
        click.echo(study_uid)
