"""`pianku events replay --until TIME|POSITION [--patient ID]`: what was known then.

Design A3, walk "Auditor" (design E). Answers from scratch views; the live ones are not touched.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa

from kernel.identifiers import PatientId
from projections.database import ViewsDatabase
from projections.document_index.view import DocumentIndex
from projections.study_index.view import StudyIndex
from server.progress import bar
from server.replay import position_of, replay
from server.wiring import Installation


def replay_command(installation: Callable[[], Installation]) -> click.Command:
    """Return the command, bound to an installation."""

    @click.command("replay")
    @click.option(
        "--until",
        required=True,
        metavar="TIME|POSITION",
        help="ISO time (local clock unless it says otherwise) or ledger position.",
    )
    @click.option(
        "--patient",
        metavar="ID",
        help="Patient, as id^^^&OID&ISO (or id alone: our own assigning authority).",
    )
    @click.option(
        "--keep",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Keep the views in this SQLite file.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    def command(until: str, patient: str | None, keep: Path | None, *, as_json: bool) -> None:
        """Build the views as they stood at a moment and answer from them."""
        here = installation()
        position = position_of(here, until)
        with tempfile.TemporaryDirectory(prefix="pianku-replay-") as scratch:
            file = keep or Path(scratch) / "views.sqlite"
            with bar("replaying", position) as told:
                views = replay(here, position, file, told=told)
            try:
                answer = {"position": position, **_answer(here, views, patient)}
            finally:
                views.close()
        click.echo(json.dumps(answer, ensure_ascii=False) if as_json else _text(answer))

    return command


def _answer(here: Installation, views: ViewsDatabase, patient: str | None) -> dict[str, Any]:
    if patient is None:
        return {
            "documents": _count(views, "document_index", "documents"),
            "studies": _count(views, "study_index", "studies"),
        }
    told = patient if "^" in patient else f"{patient}^^^&{here.identity.assigning_authority}&ISO"
    key = here.keys.patient_keys.key(PatientId.parse(told))
    return {
        "patient_key": str(key),
        "documents": [
            {
                "entry_uuid": str(row.entry_uuid),
                "unique_id": row.unique_id,
                "title": row.title,
                "status": str(row.status),
                "creation_time": row.creation_time,
            }
            for row in DocumentIndex(views).documents_of(key)
        ],
        "studies": [
            {
                "study_uid": row.study_uid,
                "description": row.description,
                "instances": row.instance_count,
            }
            # Whoever may run this command on the server holds the keys: no clause narrows it.
            for row in StudyIndex(views).studies_of_patient(key, policy=sa.true())
        ],
    }


def _count(views: ViewsDatabase, view: str, table: str) -> int:
    with views.reading(view) as (connection, tables):
        found = connection.scalar(sa.select(sa.func.count()).select_from(getattr(tables, table)))
    return int(found or 0)


def _text(answer: dict[str, Any]) -> str:
    lines = [f"as of event {answer['position']}:"]
    for kind in ("documents", "studies"):
        found = answer[kind]
        if isinstance(found, int):
            lines.append(f"  {found} {kind}")
            continue
        lines.append(f"  {len(found)} {kind}")
        lines += ["    " + "  ".join(str(v) for v in row.values()) for row in found]
    return "\n".join(lines)
