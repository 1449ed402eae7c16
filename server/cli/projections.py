"""`pianku projections list|rebuild|resume`: the read models, their lag and their repair.

Design A4; talks to the same database as a running installation, whose projector does the work.
"""

from __future__ import annotations

import json
import time

import click

from kernel.refusals import NotFound, Unavailable
from server.cli.main import settings_of


class UnknownView(NotFound):
    """There is no view of this name."""

    code = "unknown_view"


class ViewStopped(Unavailable):
    """The view stopped while it was built; `pianku projections list` says where."""

    code = "view_stopped"


@click.group("projections")
def command() -> None:
    """List, rebuild and resume the views built from events."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def list_views(context: click.Context, *, as_json: bool) -> None:
    """Show every view: state, position, how many events it is behind."""
    from projections.catalogue import VIEWS
    from server.wiring import Installation

    with Installation(settings_of(context)) as installation:
        rows = [
            {
                "view": lag.view,
                "generation": lag.generation,
                "state": lag.state,
                "position": lag.position,
                "lag_events": lag.lag_events,
                "error": lag.error,
                "error_position": lag.error_position,
                "answers": VIEWS.get(lag.view, ""),
            }
            for lag in installation.runner.lags()
        ]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        stopped = f"  stopped at {row['error_position']}: {row['error']}" if row["error"] else ""
        click.echo(
            f"{row['view']:<16} g{row['generation']:<3} {row['state']:<9}"
            f"{row['position']:>12}  behind {row['lag_events']:<8}{row['answers']}{stopped}"
        )


@command.command("rebuild")
@click.argument("view")
@click.option("--wait", is_flag=True, help="Return when the new generation is live.")
@click.pass_context
def rebuild(context: click.Context, view: str, *, wait: bool) -> None:
    """Build VIEW again from the first event, beside the live one, and switch when complete."""
    from server.progress import bar
    from server.wiring import Installation

    with Installation(settings_of(context)) as installation:
        runner = installation.runner
        if view not in installation.views.specs:
            raise UnknownView(f"there is no view {view}")
        made = runner.rebuild(view)
        click.echo(f"{view}: generation {made.generation} begun")
        if not wait:
            return
        head = installation.ledgers[installation.views.specs[view].ledger].head()
        with bar(f"rebuilding {view}", head) as advance:
            while True:
                lag = next(
                    lag
                    for lag in runner.lags()
                    if (lag.view, lag.generation) == (view, made.generation)
                )
                advance(min(lag.position, head))
                if lag.state == "live":
                    break
                if lag.state == "stopped":
                    raise ViewStopped
                time.sleep(0.2)
        click.echo(f"{view}: generation {made.generation} is live")


@command.command("resume")
@click.argument("view")
@click.pass_context
def resume(context: click.Context, view: str) -> None:
    """Let a stopped VIEW try the event it stopped on again."""
    from server.wiring import Installation

    with Installation(settings_of(context)) as installation:
        if view not in installation.views.specs:
            raise UnknownView(f"there is no view {view}")
        installation.runner.resume(view)
    click.echo(f"{view}: resumed")
