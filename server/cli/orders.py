"""`pianku orders add|list|cancel`: exam orders by hand, until a hospital's order feed brings them.

IHE RAD TF-2 4.5. An order is read from a file or standard input, never from arguments: they name a
patient, and arguments are seen by every process of the machine.
"""

from __future__ import annotations

import json
from typing import IO

import click

from server.cli.main import settings_of


@click.group("orders")
def command() -> None:
    """Place exam orders for the modality worklist; list and cancel them."""


@command.command("add")
@click.argument("file", type=click.File("rb"))
@click.option("--study-uid", default="", help="Study Instance UID (default: a new one).")
@click.pass_context
def add(context: click.Context, file: IO[bytes], study_uid: str) -> None:
    """Place the order in FILE (JSON; `-` is standard input) and print its Study Instance UID.

    Members: local_id, name, birth_date, sex, accession, procedure_id, procedure, referring,
    modality, station_ae, station_name, starts (YYYYMMDDHHMMSS), step_id, step, performing,
    authority (default: ours).
    """
    import msgspec

    from kernel.context import Envelope, acting_as
    from kernel.identifiers import dicom_uid, new_uid
    from registry.orders.values import Order
    from server.dimse_door import place_orders
    from server.wiring import Installation

    try:
        order = msgspec.json.decode(file.read(), type=Order)
    except msgspec.MsgspecError as problem:
        raise click.ClickException("the file is no order in JSON") from problem
    uid = dicom_uid(study_uid) if study_uid else new_uid()
    envelope = Envelope(subject="operator", protocol="cli", purpose="order placed")
    with Installation(settings_of(context), node="cli") as installation, acting_as(envelope):
        order = msgspec.structs.replace(
            order,
            authority=order.authority or installation.identity.assigning_authority,
            step_id=order.step_id or order.accession or "1",
            procedure_id=order.procedure_id or order.accession or "1",
        )
        place_orders(installation).place(uid, order)
    click.echo(uid)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def list_orders(context: click.Context, *, as_json: bool) -> None:
    """Show what is scheduled or under way; names no patient."""
    from projections.worklist.view import Worklist
    from server.wiring import Installation

    with Installation(settings_of(context), node="cli") as installation:
        steps = Worklist(installation.views).open()
    rows = [
        {
            "study_uid": one.study_uid,
            "state": one.state,
            "starts": one.order.starts,
            "modality": one.order.modality,
            "station_ae": one.order.station_ae,
        }
        for one in steps
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo("  ".join(row.values()))


@command.command("cancel")
@click.argument("study_uid")
@click.pass_context
def cancel(context: click.Context, study_uid: str) -> None:
    """Take the order with STUDY_UID off the worklist."""
    from kernel.context import Envelope, acting_as
    from server.dimse_door import place_orders
    from server.wiring import Installation

    envelope = Envelope(subject="operator", protocol="cli", purpose="order cancelled")
    with Installation(settings_of(context), node="cli") as installation, acting_as(envelope):
        place_orders(installation).cancel(study_uid)
    click.echo(f"{study_uid}: cancelled")
