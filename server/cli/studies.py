"""`pianku studies show|correct|reassign|move|split|merge|revert|reconcile`: studies put right.

Requirements R-6.3.4. Values that name a patient are read from a file or standard input, never from
arguments, which every process of the machine sees. `--dry-run` tells what would be done.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

import click

from server.cli.main import settings_of

if TYPE_CHECKING:
    from workflows.correct_studies import CorrectStudies, Done

_reason = click.option("--reason", required=True, help="Why; kept with the event, sealed.")
_dry_run = click.option("--dry-run", is_flag=True, help="Tell what would be done; do nothing.")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("studies")
def command() -> None:
    """Correct studies, give them to other patients, split and merge them."""


@command.command("correct")
@click.argument("study_uid")
@click.argument("file", type=click.File("rb"))
@_reason
@_dry_run
@click.pass_context
def correct(
    context: click.Context, study_uid: str, file: IO[bytes], reason: str, *, dry_run: bool
) -> None:
    """Have attributes of STUDY_UID told otherwise.

    FILE (`-` is standard input) is a JSON object: keyword to new value, an empty one empties.
    """
    import msgspec

    try:
        values = msgspec.json.decode(file.read(), type=dict[str, str])
    except msgspec.MsgspecError as problem:
        raise click.ClickException("the file is no JSON object of texts") from problem

    def work(studies: CorrectStudies) -> Done:
        return studies.correct(_uid(study_uid), values, reason=reason, dry_run=dry_run)

    _tell(_run(context, work))


@command.command("reassign")
@click.argument("study_uid")
@click.argument("file", type=click.File("rb"))
@_reason
@_dry_run
@click.pass_context
def reassign(
    context: click.Context, study_uid: str, file: IO[bytes], reason: str, *, dry_run: bool
) -> None:
    """Give STUDY_UID to another patient, whose identifier FILE holds (`id^^^&OID&ISO`)."""
    from kernel.identifiers import PatientId

    patient_id = PatientId.parse(file.read(4096).decode("utf-8", "replace").strip())

    def work(studies: CorrectStudies) -> Done:
        return studies.reassign(_uid(study_uid), patient_id, reason=reason, dry_run=dry_run)

    _tell(_run(context, work))


@command.command("move")
@click.argument("study_uid")
@click.argument("to_study_uid")
@click.option("--series", multiple=True, help="A series that goes; may be repeated.")
@click.option("--instance", multiple=True, help="An instance that goes; may be repeated.")
@_reason
@_dry_run
@click.pass_context
def move(
    context: click.Context,
    study_uid: str,
    to_study_uid: str,
    *,
    series: tuple[str, ...],
    instance: tuple[str, ...],
    reason: str,
    dry_run: bool,
) -> None:
    """Move series or instances of STUDY_UID to TO_STUDY_UID of the same patient."""
    if not series and not instance:
        raise click.UsageError("name a series or an instance; `merge` moves all of a study")
    _tell(_run(context, _moves(study_uid, to_study_uid, (series, instance), reason, dry_run)))


@command.command("split")
@click.argument("study_uid")
@click.option("--series", multiple=True, help="A series that goes; may be repeated.")
@click.option("--instance", multiple=True, help="An instance that goes; may be repeated.")
@_reason
@_dry_run
@click.pass_context
def split(
    context: click.Context,
    study_uid: str,
    *,
    series: tuple[str, ...],
    instance: tuple[str, ...],
    reason: str,
    dry_run: bool,
) -> None:
    """Move series or instances of STUDY_UID to a new study, whose UID is printed."""
    if not series and not instance:
        raise click.UsageError("name a series or an instance that is to be split off")
    _tell(_run(context, _moves(study_uid, "", (series, instance), reason, dry_run)))


@command.command("merge")
@click.argument("study_uid")
@click.argument("to_study_uid")
@_reason
@_dry_run
@click.pass_context
def merge(
    context: click.Context, study_uid: str, to_study_uid: str, *, reason: str, dry_run: bool
) -> None:
    """Move all of STUDY_UID, and what is still to come of it, to TO_STUDY_UID."""
    _tell(_run(context, _moves(study_uid, to_study_uid, ((), ()), reason, dry_run)))


@command.command("revert")
@click.argument("study_uid")
@click.option("--position", type=int, default=0, help="Of the act (`show`); default: the last.")
@_reason
@_dry_run
@click.pass_context
def revert(
    context: click.Context, study_uid: str, position: int, reason: str, *, dry_run: bool
) -> None:
    """Take back a correction, reassignment or move of STUDY_UID."""

    def work(studies: CorrectStudies) -> Done:
        return studies.revert(_uid(study_uid), position, reason=reason, dry_run=dry_run)

    _tell(_run(context, work))


@command.command("show")
@click.argument("study_uid")
@_as_json
@click.pass_context
def show(context: click.Context, study_uid: str, *, as_json: bool) -> None:
    """Show what was ever done to STUDY_UID; names no patient."""
    acts = _run(context, lambda studies: studies.history(_uid(study_uid)))
    rows = [
        {
            "position": one.position,
            "at": one.at.isoformat(timespec="seconds"),
            "who": one.subject,
            "kind": one.kind,
            "tags": list(one.tags),
            "from": one.from_study_uid,
            "to": one.to_study_uid,
            "instances": one.instance_count,
            "reverts": one.reverts,
            "reverted": one.reverted,
        }
        for one in acts
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo("  ".join(f"{name}={value}" for name, value in row.items() if value))


@command.command("reconcile")
@click.argument("file", type=click.File("r", encoding="utf-8-sig"))
@_as_json
@click.pass_context
def reconcile(context: click.Context, file: IO[str], *, as_json: bool) -> None:
    """Compare what is held with the counts of a PACS in FILE (CSV); exit code 1 if they differ.

    Columns: `date,modality,studies`, or `study_uid,date` and perhaps `instances`.
    """
    from server.wiring import Installation
    from workflows.reconcile_counts import read_report
    from workflows.reconcile_counts import reconcile as compare

    report = read_report(file)
    with Installation(settings_of(context), node="cli") as installation:
        found = compare(report, installation.studies.counts(report.first, report.last))
    if as_json:
        click.echo(json.dumps([one.told() for one in found]))
    else:
        for one in found:
            click.echo("  ".join(str(text) for text in one.told().values() if text != ""))
        click.echo(f"{len(found)} differences")
    if found:
        raise click.exceptions.Exit(1)


def _moves(
    study_uid: str,
    to_study_uid: str,
    named: tuple[tuple[str, ...], tuple[str, ...]],
    reason: str,
    dry_run: bool,
) -> Callable[[CorrectStudies], Done]:
    from workflows.correct_studies import AskedMove

    asked = AskedMove(
        study_uid=_uid(study_uid),
        to_study_uid=_uid(to_study_uid) if to_study_uid else "",
        series_uids=[_uid(one) for one in named[0]],
        sop_uids=[_uid(one) for one in named[1]],
    )
    return lambda studies: studies.move(asked, reason=reason, dry_run=dry_run)


def _uid(text: str) -> str:
    from kernel.identifiers import dicom_uid

    return dicom_uid(text)


def _run(context: click.Context, work: Callable[[CorrectStudies], Any]) -> Any:
    from kernel.context import Envelope, acting_as
    from server.wiring import Installation

    envelope = Envelope(subject="operator", protocol="cli", purpose="study corrected")
    with Installation(settings_of(context), node="cli") as installation, acting_as(envelope):
        return work(installation.corrections)


def _tell(done: Done) -> None:
    click.echo(done.study_uid + (f" -> {done.to_study_uid}" if done.to_study_uid else ""))
    click.echo(f"{done.kind}: {done.instance_count} instances")
    for tag in done.tags:
        click.echo(f"  {tag}")
    for one in done.series:
        count = str(len(one.sop_uids)) if one.sop_uids else "all"
        click.echo(f"  {one.series_uid} -> {one.to_series_uid} ({count})")
    click.echo(f"event {done.position}" if done.position else "nothing was recorded (dry run)")
