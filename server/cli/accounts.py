"""`pianku accounts list|reset`: the way back in for whoever has the server but no password.

Design A6; everything else on accounts is the security administrator's, in the browser. A reset is
an event like any other.
"""

from __future__ import annotations

import json

import click

from server.cli.main import settings_of


@click.group("accounts")
def command() -> None:
    """List accounts; give one a new password."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def list_accounts(context: click.Context, *, as_json: bool) -> None:
    """Show who may sign in, and as what."""
    from projections.permissions.view import PermissionsView
    from server.wiring import Installation

    with Installation(settings_of(context), node="cli") as installation:
        accounts = PermissionsView(installation.views).snapshot().accounts.values()
    if as_json:
        rows = [
            {"login": a.login, "roles": sorted(a.roles), "disabled": a.disabled} for a in accounts
        ]
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for account in accounts:
        state = "  disabled" if account.disabled else ""
        click.echo(f"{account.login:<24} {', '.join(sorted(account.roles))}{state}")


@command.command("reset")
@click.argument("login")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.pass_context
def reset(context: click.Context, login: str, *, yes: bool) -> None:
    """Give LOGIN a generated password, shown once, to be changed at the next sign-in."""
    from kernel.context import Envelope, acting_as
    from registry.access.passwords import generate_password
    from server.wiring import Installation

    if not yes:
        click.confirm(f"give {login} a new password?", abort=True)
    password = generate_password(20)
    envelope = Envelope(subject="operator", protocol="cli", purpose="password reset")
    with Installation(settings_of(context), node="cli") as installation, acting_as(envelope):
        installation.administration.change_password(login, password, None)
    click.echo(f"account {login} has the password {password}")
