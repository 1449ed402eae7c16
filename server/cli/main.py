"""The command `pianku`: noun then verb, `--json` where there is an answer, exit codes 0/1/2.

Design F (CLI). Called by the script `pianku` and by the wheel's entry point. Heavy imports wait
inside the commands so that `--help` is fast.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any, Final

import click

from kernel.refusals import Refusal
from server.settings import Settings, load

_COMMANDS: Final = {
    "serve": "server.cli.serve",
    "demo": "server.cli.demo",
    "doctor": "server.cli.doctor",
    "events": "server.cli.events_command",
    "projections": "server.cli.projections",
    "subscriptions": "server.cli.subscriptions",
    "accounts": "server.cli.accounts",
    "xds": "server.cli.xds",
    "dimse": "server.cli.dimse",
    "nodes": "server.cli.nodes",
    "orders": "server.cli.orders",
    "studies": "server.cli.studies",
}


class _Lazy(click.Group):
    """Loads a command's module when it is asked for, and tells refusals in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names in reading order."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(_COMMANDS[cmd_name]).command
        if not isinstance(command, click.Command):
            raise TypeError(cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a refusal becomes one line and exit code 1."""
        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            raise click.ClickException(str(refusal)) from refusal


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", metavar="DIR", help="Data folder (default: ./pianku-data).")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Settings file (TOML).",
)
@click.version_option(package_name="pianku", message="%(version)s")
@click.pass_context
def main(context: click.Context, data: str | None, config: Path | None) -> None:
    """Pianku 片库: one place where every image, report and document of a hospital is kept."""
    context.obj = {"data": data, "config": config}


def settings_of(context: click.Context, **flags: Any) -> Settings:
    """Return the settings of this call: file, environment, then flags (`None` = not given)."""
    given = {name.replace("__", "."): value for name, value in flags.items()}
    root = context.find_root().obj or {}
    if given.get("data") is None:
        given["data"] = root.get("data")
    return load(root.get("config"), os.environ, given)


def host_and_port(text: str | None) -> tuple[str | None, int | None]:
    """Split `HOST:PORT`; raises click.BadParameter."""
    if text is None:
        return None, None
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise click.BadParameter(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


if __name__ == "__main__":
    main(prog_name="pianku")
