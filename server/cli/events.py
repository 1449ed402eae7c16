"""`pianku events`: verify the ledgers, watch them, export them and seal their heads.

Design A3 (audit tools) and F (noun then verb, `--json`, exit codes 0/1/2). The groups that
open the ledgers and keys are given by `server/cli/events_command.py`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TextIO

import click
import msgspec

from kernel.events import Recorded
from kernel.ledger.ledger import EventLedger
from kernel.ledger.seals import BadSeal, Seal, Sealer, Signer, read_seals
from kernel.ledger.verify import Verdict, verify

OpenLedgers = Callable[[], Mapping[str, EventLedger]]
OpenSigner = Callable[[], Signer]

_PAGE: Final = 1000
_LEDGER: Final = click.option("--ledger", "name", default="facts", help="Which ledger.")
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
_SEALS: Final = click.option(
    "--seals",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder with exported seals.",
)


def build_commands(
    open_ledgers: OpenLedgers,
    open_signer: OpenSigner,
    trusted: Callable[[], Mapping[str, bytes]] | None = None,
    *,
    seals: Callable[[], Path] | None = None,
) -> click.Group:
    """Return the group `events`.

    `trusted` names other nodes whose seals are believed; `seals` is the folder where seals are
    when the command line names none.
    """

    @click.group("events")
    def events() -> None:
        """Look into the ledgers: verify, tail, export, seal."""

    def nodes() -> dict[str, bytes]:
        signer = open_signer()
        return {signer.name: signer.public_key, **(trusted() if trusted else {})}

    for command in (
        _verify_command(open_ledgers, nodes, seals),
        _tail_command(open_ledgers),
        _export_command(open_ledgers),
        _seal_command(open_ledgers, open_signer, seals),
    ):
        events.add_command(command)
    return events


def verify_ledger(ledger: EventLedger, seals: list[Seal]) -> Verdict:
    """Verify one ledger, with a progress bar on a terminal."""
    length = max(ledger.head(), 1)
    with click.progressbar(length=length, label=ledger.name, file=sys.stderr) as bar:
        return verify(
            ledger.recorder, seals, progress=lambda position: bar.update(position - bar.pos)
        )


def tail_ledger(ledger: EventLedger, after: int, output: TextIO, *, follow: bool) -> None:
    """Print events after a position, one JSON object a line, until interrupted."""
    if not follow:
        export_ledger(ledger, output, after=after)
        return
    # Followers unseal; their batches only say how far the ledger has come.
    tail = ledger.follow(after)
    try:
        for batch in tail:
            export_ledger(ledger, output, after=after, until=batch[-1].position)
            after = batch[-1].position
            output.flush()
    except KeyboardInterrupt:
        tail.stop()


def export_ledger(
    ledger: EventLedger,
    output: TextIO,
    *,
    after: int = 0,
    until: int | None = None,
    unsealed: bool = False,
) -> int:
    """Write events as NDJSON and return how many; personal fields stay blank unless `unsealed`."""
    end = ledger.head() if until is None else until
    count = 0
    for recorded in _events(ledger, after, end, unsealed=unsealed):
        output.write(json.dumps(_line(recorded), ensure_ascii=False) + "\n")
        count += 1
    return count


def _events(ledger: EventLedger, after: int, end: int, *, unsealed: bool) -> Iterator[Recorded]:
    read = ledger.mapper.recorded if unsealed else ledger.mapper.without_personal
    while rows := ledger.recorder.rows(after, _PAGE, until=end):
        yield from map(read, rows)
        after = rows[-1].position


def _line(recorded: Recorded) -> dict[str, Any]:
    return {
        "position": recorded.position,
        "stream": str(recorded.stream),
        "version": recorded.version,
        "at": recorded.at.isoformat(),
        "topic": recorded.topic,
        "envelope": msgspec.to_builtins(recorded.envelope),
        "fact": msgspec.to_builtins(recorded.fact, str_keys=True),
        "sealed_for": None if recorded.sealed_for is None else str(recorded.sealed_for),
        "shredded": recorded.shredded,
    }


def _verify_command(
    open_ledgers: OpenLedgers,
    nodes: Callable[[], dict[str, bytes]],
    seals: Callable[[], Path] | None,
) -> click.Command:
    @click.command("verify")
    @_SEALS
    @_JSON
    def command(directory: Path | None, *, as_json: bool) -> None:
        """Recompute every hash; tell the first altered, missing or inserted event."""
        directory = directory or (seals() if seals else None)
        known = nodes() if directory else {}
        verdicts = []
        for name, ledger in open_ledgers().items():
            verdicts.append(verify_ledger(ledger, _seals(directory, name, known)))
            click.echo(_verdict_line(verdicts[-1], as_json=as_json))
        if not all(verdict.ok for verdict in verdicts):
            raise click.exceptions.Exit(1)

    return command


def _tail_command(open_ledgers: OpenLedgers) -> click.Command:
    @click.command("tail")
    @_LEDGER
    @click.option("--after", type=int, help="Begin after this position (default: the end).")
    @click.option("--follow/--no-follow", default=True, help="Go on as events are committed.")
    def command(name: str, after: int | None, *, follow: bool) -> None:
        """Print events as they are recorded, personal fields left sealed."""
        ledger = _chosen(open_ledgers(), name)
        start = ledger.head() if after is None else after
        tail_ledger(ledger, start, sys.stdout, follow=follow)

    return command


def _export_command(open_ledgers: OpenLedgers) -> click.Command:
    @click.command("export")
    @_LEDGER
    @click.option(
        "--output",
        type=click.File("w", encoding="utf-8", lazy=True),
        default="-",
        help="File to write (default: standard output).",
    )
    @click.option("--after", type=int, default=0, help="Begin after this position.")
    @click.option("--until", type=int, help="End with this position.")
    @click.option("--unsealed", is_flag=True, help="With personal fields, in clear.")
    def command(
        name: str, output: TextIO, after: int, until: int | None, *, unsealed: bool
    ) -> None:
        """Write events as NDJSON; personal fields only with --unsealed."""
        ledger = _chosen(open_ledgers(), name)
        count = export_ledger(ledger, output, after=after, until=until, unsealed=unsealed)
        click.echo(f"{count} events", err=True)

    return command


def _seal_command(
    open_ledgers: OpenLedgers, open_signer: OpenSigner, seals: Callable[[], Path] | None
) -> click.Command:
    @click.command("seal")
    @_SEALS
    def command(directory: Path | None) -> None:
        """Sign the head of every ledger into a text file; copy the files off this machine."""
        directory = directory or (seals() if seals else None)
        if directory is None:
            raise click.UsageError("name the folder for the seals with --seals")
        signer = open_signer()
        for name, ledger in open_ledgers().items():
            path = Sealer(ledger, signer, directory).seal()
            click.echo(f"{name}: {'nothing new' if path is None else path}")

    return command


def _chosen(ledgers: Mapping[str, EventLedger], name: str) -> EventLedger:
    if name not in ledgers:
        raise click.BadParameter(f"there is no ledger {name!r}, only {', '.join(ledgers)}")
    return ledgers[name]


def _seals(directory: Path | None, ledger: str, nodes: Mapping[str, bytes]) -> list[Seal]:
    if directory is None:
        return []
    try:
        return read_seals(directory, ledger, nodes)
    except BadSeal as error:
        raise click.ClickException(str(error)) from error


def _verdict_line(verdict: Verdict, *, as_json: bool) -> str:
    finding = verdict.finding
    if as_json:
        return json.dumps({
            "ledger": verdict.ledger,
            "ok": verdict.ok,
            "events": verdict.events,
            "head": verdict.head.position,
            "seals": verdict.seals,
            "position": None if finding is None else finding.position,
            "reason": None if finding is None else finding.reason,
        })  # fmt: skip
    if finding is None:
        return f"{verdict.ledger}: {verdict.events} events in order, {verdict.seals} seals held"
    return f"{verdict.ledger}: event {finding.position}: {finding.reason}"
