"""`pianku subscriptions list|cancel`: who is told of documents, and what became of it.

ITI TF-2 3.52.6 asks for an administrator's way to end a subscription whose reference was lost.
Names no patient: what a subscription is about is not printed.
"""

from __future__ import annotations

import json
from uuid import UUID

import click

from server.cli.main import settings_of


@click.group("subscriptions")
def command() -> None:
    """List subscriptions to documents and their notifications; end one."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def list_subscriptions(context: click.Context, *, as_json: bool) -> None:
    """Show every subscription, newest first, with its notifications counted by state."""
    from server.wiring import Installation

    with Installation(settings_of(context), node="cli") as installation:
        tally = installation.deliveries.tally()
        held = installation.deliveries.subscriptions()
    rows = [
        {
            "subscription": str(one.subscription),
            "state": one.state,
            "topic": f"ihe:{one.topic}",
            "consumer": one.consumer,
            "subscriber": one.subscriber.name,
            "terminates": one.terminates.isoformat(timespec="seconds"),
            "attempts": one.attempts,
            "notifications": tally.get(one.subscription, {}),
        }
        for one in held
    ]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for one in held:
        counted = tally.get(one.subscription, {})
        told = ", ".join(f"{count} {state}" for state, count in sorted(counted.items()))
        click.echo(
            f"{one.subscription}  {one.state:<9} ihe:{one.topic:<22} {one.consumer}  "
            f"{one.subscriber.name}  until {one.terminates:%Y-%m-%d}  {told or 'nothing told yet'}"
        )


@command.command("cancel")
@click.argument("subscription", type=click.UUID)
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.pass_context
def cancel(context: click.Context, subscription: UUID, *, yes: bool) -> None:
    """End SUBSCRIPTION; what waits for its consumer is dropped."""
    from kernel.context import Envelope, acting_as
    from server.broker import broker
    from server.wiring import Installation

    if not yes:
        click.confirm(f"end the subscription {subscription}?", abort=True)
    envelope = Envelope(subject="operator", protocol="cli", purpose="subscription ended")
    with Installation(settings_of(context), node="cli") as installation, acting_as(envelope):
        broker(installation).subscriptions.cancel(subscription, None)
    click.echo(f"{subscription}: ended")
