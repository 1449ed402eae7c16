"""`pianku nodes list|allow|revoke`: DICOM nodes, what each may do and how it is reached.

Design A6, PS3.15 B.12. What the security administrator does by the portal's API, for whoever
sets up an installation by script; each change is an event. Running receivers follow within a
second.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from registry.access.values import AE_RIGHTS, DIMSE_SERVICES, SOP_CLASS_GROUPS, AeLimits
from server.cli.main import host_and_port, settings_of

if TYPE_CHECKING:
    from projections.permissions.view import AeTitleRow


@click.group("nodes")
def command() -> None:
    """List DICOM nodes (AE titles); allow one, say what it is held to, revoke it."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def list_nodes(context: click.Context, *, as_json: bool) -> None:
    """Show the AE titles that are known, their rights and what they are held to."""
    from projections.permissions.view import PermissionsView
    from server.wiring import Installation

    with Installation(settings_of(context), node="cli") as installation:
        found = PermissionsView(installation.views).snapshot().ae_titles.values()
    rows = sorted(found, key=lambda row: row.ae_title)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows]))
        return
    for row in rows:
        click.echo(_line(row))


@command.command("allow")
@click.argument("ae_title")
@click.option(
    "--network", "networks", multiple=True, default=("127.0.0.0/8",), show_default=True,
    help="Where it may come from; repeat.",
)  # fmt: skip
@click.option(
    "--right", "rights", multiple=True, type=click.Choice(sorted(AE_RIGHTS)),
    help="What it may do; repeat.",
)  # fmt: skip
@click.option("--address", metavar="HOST:PORT", help="Where C-MOVE and reports send to.")
@click.option(
    "--service", "services", multiple=True, type=click.Choice(sorted(DIMSE_SERVICES)),
    help="Only these services; repeat.",
)  # fmt: skip
@click.option(
    "--sop-class", "sop_classes", multiple=True, metavar="UID|GROUP",
    help="Store only these; groups: " + ", ".join(sorted(SOP_CLASS_GROUPS)) + ".",
)  # fmt: skip
@click.option(
    "--transfer-syntax", "transfer_syntaxes", multiple=True, metavar="UID",
    help="Store only in these; repeat.",
)  # fmt: skip
@click.option(
    "--associations", "max_associations", type=click.IntRange(0, 10_000), default=0,
    help="At once, with all receivers of a machine; 0 is any number.",
)  # fmt: skip
@click.option("--tls", is_flag=True, help="Let it in by TLS only.")
@click.option(
    "--certificate", "certificates", multiple=True, metavar="SHA256",
    help="It must show one of these certificates; implies --tls.",
)  # fmt: skip
@click.option("--reached-by-tls", is_flag=True, help="Our associations to it are made by TLS.")
@click.pass_context
def allow(context: click.Context, /, ae_title: str, **told: Any) -> None:
    """Allow AE_TITLE, in place of what it was allowed before."""
    from kernel.context import Envelope, acting_as
    from server.wiring import Installation

    host, port = host_and_port(told["address"])
    limits = AeLimits(**{name: told[name] for name in AeLimits.__slots__})
    envelope = Envelope(subject="operator", protocol="cli", purpose="node allowed")
    with Installation(settings_of(context), node="cli") as installation, acting_as(envelope):
        installation.administration.allow_ae(
            ae_title,
            told["networks"],
            told["rights"],
            host=host or "",
            port=port or 0,
            limits=limits,
        )
    click.echo(f"{ae_title.strip()} is allowed")


@command.command("revoke")
@click.argument("ae_title")
@click.pass_context
def revoke(context: click.Context, ae_title: str) -> None:
    """Let AE_TITLE in no more, nor send to it."""
    from kernel.context import Envelope, acting_as
    from server.wiring import Installation

    envelope = Envelope(subject="operator", protocol="cli", purpose="node revoked")
    with Installation(settings_of(context), node="cli") as installation, acting_as(envelope):
        installation.administration.revoke_ae(ae_title)
    click.echo(f"{ae_title} is revoked")


def _line(row: AeTitleRow) -> str:
    held = "".join(
        f"  {name.replace('_', '-')}={','.join(value) if isinstance(value, tuple) else value}"
        for name, value in asdict(row.limits).items()
        if value
    )
    address = f"  at {row.host}:{row.port}" if row.host else ""
    return f"{row.ae_title:<16} {','.join(row.rights):<28} {','.join(row.networks)}{address}{held}"
