"""`pianku doctor`: what is wrong with this installation, in words that say what to do.

Design A4, A5, F: settings, ledgers, views, storage, encryption of the volume, clock of the ledger.
"""

from __future__ import annotations

import json
import sys

import click

from server.cli.main import settings_of


@click.command("doctor")
@click.option("--data", metavar="DIR", help="Data folder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, data: str | None, *, as_json: bool) -> None:
    """Look at settings, ledgers, views and storage; exit code 1 if something is wrong."""
    from server.diagnosis import diagnose

    report = diagnose(settings_of(context, data=data))
    if as_json:
        click.echo(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        for finding in report.findings:
            click.echo(f"{'ok  ' if finding.good else 'BAD '} {finding.name:<28} {finding.detail}")
    sys.exit(0 if report.ready else 1)
