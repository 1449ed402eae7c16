"""`pianku serve`: run an installation until it is told to stop.

Design A10 (the outside contract): flags, the line `ready`, exit code 0 on SIGTERM.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from server.cli.main import host_and_port, settings_of
from server.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])


def door_options(function: F) -> F:
    """Add the flags that `serve` and `demo` share."""
    for option in reversed(
        (
            click.option("--data", metavar="DIR", help="Data folder."),
            click.option("--http", metavar="HOST:PORT", help="HTTP door (default 127.0.0.1:8080)."),
            click.option(
                "--dimse", metavar="HOST:PORT", help="DICOM door (default 127.0.0.1:11112)."
            ),
            click.option("--mllp", metavar="HOST:PORT", help="HL7 door (default 127.0.0.1:2575)."),
            click.option(
                "--codes", metavar="FILE", help="The affinity domain's code sets (JSON, codes.xml)."
            ),
            click.option(
                "--unchecked-codes", metavar="TYPES", help="Code types not checked: `a,b`."
            ),
        )
    ):
        function = option(function)
    return function


def door_settings(context: click.Context, doors: dict[str, str | None], **more: Any) -> Settings:
    """Return the settings with the doors' flags applied."""
    flags: dict[str, Any] = {"data": doors.get("data"), **more}
    flags["domain__codes"] = doors.get("codes")
    flags["domain__unchecked_codes"] = doors.get("unchecked_codes")
    for name in ("http", "dimse", "mllp"):
        flags[f"{name}__host"], flags[f"{name}__port"] = host_and_port(doors.get(name))
    settings = settings_of(context, **flags)
    if settings.domain.codes:
        from server.wiring import code_sets

        code_sets(settings.domain.codes)  # tell at once of a file that is none
    return settings


@click.command("serve")
@door_options
@click.option(
    "--profile", type=click.Choice(["embedded", "hospital"]), help="Preset to start from."
)
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice(["all", "web", "dimse", "mllp", "projector"]),
    help="Run only these roles (repeatable); the default is all.",
)
@click.pass_context
def command(
    context: click.Context, /, *, profile: str | None, roles: tuple[str, ...], **doors: str | None
) -> None:
    """Serve an installation: nothing is allowed that was not granted."""
    from adapters.guard.credentials import is_loopback
    from server.first_start import prepare
    from server.processes import ROLES, Supervisor

    settings = door_settings(context, doors, profile=profile)
    wanted = ROLES if not roles or "all" in roles else roles
    if "dimse" in wanted and settings.dimse.tls_certificate:
        from server.dicom_tls import acceptor

        acceptor(settings.dimse)  # tell at once of files that cannot be used
    supervisor = Supervisor(settings, wanted)
    supervisor.install_signals()
    first = prepare(supervisor.settings)
    if first is not None:
        click.echo(f"first start: account {first.login} with the password {first.password}")
        click.echo("it is shown only now; sign in and change it")
    supervisor.start()
    tell_doors(supervisor.settings, wanted)
    http = supervisor.settings.http
    if "web" in wanted and not http.tls_certificate and not is_loopback(http.host):
        click.echo(
            "warning   HTTP is clear text and open to other machines: set http.tls_certificate"
        )
    click.echo("ready")
    context.exit(supervisor.watch())


def tell_doors(settings: Settings, roles: tuple[str, ...]) -> None:
    """Print where the doors are."""
    scheme = "https" if settings.http.tls_certificate else "http"
    if "web" in roles:
        base = f"{scheme}://{settings.http.host}:{settings.http.port}"
        click.echo(f"viewer    {base}/")
        click.echo(f"DICOMweb  {base}/dicom-web")
        click.echo(f"XDS       {base}/xds/registry  {base}/xds/repository")
    if "dimse" in roles:
        dimse = settings.dimse
        click.echo(f"DICOM     {dimse.ae_title}@{dimse.host}:{dimse.port}")
        if dimse.tls_certificate:
            click.echo(f"DICOM TLS {dimse.ae_title}@{dimse.host}:{dimse.tls_port}")
    if "mllp" in roles:
        click.echo(f"HL7 v2    mllp://{settings.mllp.host}:{settings.mllp.port}")
