"""`pianku demo`: an imaging centre with sample patients in one command.

Design A1, A10: flags as `serve`, the lines `ready` and `loaded`, DIR/demo.json.
"""

from __future__ import annotations

import threading
from typing import Any

import click

from server.cli.serve import door_options, door_settings, tell_doors
from server.progress import bar
from server.settings import Settings


@click.command("demo")
@door_options
@click.option("--load/--no-load", default=True, help="Load the sample patients.")
@click.pass_context
def command(context: click.Context, /, *, load: bool, **doors: str | None) -> None:
    """Run a demo: sample studies and documents, accounts on paper, doors open to this machine."""
    from server.demo.installation import demo_settings, make_demo
    from server.processes import ROLES, Supervisor

    root = context.find_root().obj or {}
    if doors.get("data") is None and root.get("data") is None:
        doors["data"] = "pianku-demo"
    settings = demo_settings(door_settings(context, doors))
    supervisor = Supervisor(settings)
    supervisor.install_signals()
    told = make_demo(supervisor.settings)
    supervisor.start()
    tell_doors(supervisor.settings, ROLES)
    for account in told["accounts"]:
        click.echo(f"account   {account['user']:<12}{account['password']:<24}{account['role']}")
    click.echo(f"details   {supervisor.settings.directory / 'demo.json'}")
    click.echo("this is a demo: programs on this machine come in without a password")
    click.echo("ready")
    if load:
        threading.Thread(
            target=_load, args=(supervisor.settings, told), daemon=True, name="load"
        ).start()
    context.exit(supervisor.watch())


def _load(settings: Settings, told: dict[str, Any]) -> None:
    from server.demo.installation import already_loaded, note_loaded

    if not already_loaded(settings):
        from server.demo.load import DemoTarget, load
        from server.demo.refusals import DoorRefused

        target = DemoTarget(
            http=f"{settings.http.host}:{settings.http.port}",
            dimse=(settings.dimse.host, settings.dimse.port, settings.dimse.ae_title),
            mllp=(settings.mllp.host, settings.mllp.port),
            assigning_authority=told["assigning_authority"],
            token=told["tokens"]["system"],
        )
        try:
            with bar("loading the sample patients", 1) as advance:
                report = load(target, advance)
        except DoorRefused as refused:
            click.echo(f"the sample data were not loaded: {refused}", err=True)
            return
        note_loaded(settings)
        click.echo(
            f"sample    {report.patients} patients, {report.studies} studies,"
            f" {report.documents} documents in {report.seconds:.0f} s"
        )
    click.echo("loaded")
