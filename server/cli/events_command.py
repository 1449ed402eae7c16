"""`pianku events ...` bound to an installation: verify, tail, export, seal, replay.

Design A3 (audit tools). The commands themselves are in `events.py` and `replay.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

import click

from kernel.ledger.ledger import EventLedger
from server.cli.events import build_commands
from server.cli.main import settings_of
from server.cli.replay import replay_command
from server.wiring import Installation


def _installation() -> Installation:
    context = click.get_current_context()
    found = context.meta.get(__name__)
    if not isinstance(found, Installation):
        found = Installation(settings_of(context), node="cli")
        context.meta[__name__] = found
        context.call_on_close(found.close)
    return found


def _ledgers() -> Mapping[str, EventLedger]:
    return _installation().ledgers


command = build_commands(
    _ledgers, lambda: _installation().keys.signer, seals=lambda: _installation().seals_directory
)
command.add_command(replay_command(_installation))
