"""`pianku xds send|query|retrieve|post`: a small document source and consumer for troubleshooting.

Implements the client's side of ITI TF-2 3.41, 3.18 and 3.43 against any registry and repository,
ours by default. Exit code 1 when the other side refuses, with its own words.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from server.xds_client import XdsClient

_F = TypeVar("_F", bound=Callable[..., Any])


@click.group("xds")
def command() -> None:
    """Send, find and fetch documents by SOAP, at this or any other XDS system."""


def _other_side(path: str) -> Callable[[_F], _F]:
    """Add the options that say who is asked, and as whom."""

    def add(wrapped: _F) -> _F:
        for option in (
            click.option("--key", type=click.Path(exists=True), help="Key of --certificate."),
            click.option(
                "--certificate", type=click.Path(exists=True), help="Our TLS certificate (PEM)."
            ),
            click.option("--ca", type=click.Path(exists=True), help="Authority we trust (PEM)."),
            click.option(
                "--token-file", type=click.Path(exists=True), help="File with a bearer token."
            ),
            click.option(
                "--to",
                "url",
                default=f"http://127.0.0.1:8080{path}",
                show_default=True,
                metavar="URL",
                help="Address of the service.",
            ),
        ):
            wrapped = option(wrapped)
        return wrapped

    return add


@contextmanager
def _client(
    url: str, token_file: str | None, ca: str | None, certificate: str | None, key: str | None
) -> Generator[XdsClient]:
    from adapters.soap.client import Peer, tls_context
    from adapters.storage.local import LocalBlobStore
    from server.xds_client import XdsClient

    token = Path(token_file).read_text("utf-8").strip() if token_file else ""
    tls = None
    if url.startswith("https:"):
        tls = tls_context(ca=ca or "", certificate=certificate or "", key=key or "")
    with tempfile.TemporaryDirectory(prefix="pianku-xds-") as folder:
        store = LocalBlobStore(Path(folder))
        yield XdsClient(Peer(url, tls=tls, token=token), store)


@command.command("send")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--patient", required=True, metavar="CX", help="Patient id: ID^^^&OID&ISO.")
@click.option("--title", default="", help="Title (default: the file's name).")
@click.option("--mime-type", default="", help="Media type (default: by the file's name).")
@click.option("--source", default="2.25.1", show_default=True, metavar="OID", help="sourceId.")
@click.option(
    "--code",
    "codes",
    multiple=True,
    metavar="NAME=CODE^DISPLAY^SCHEME",
    help="A code other than the usual one: class, type, format, facility, practice, content.",
)
@_other_side("/xds/repository")
def send(
    file: Path,
    *,
    patient: str,
    title: str,
    mime_type: str,
    source: str,
    codes: tuple[str, ...],
    url: str,
    token_file: str | None,
    ca: str | None,
    certificate: str | None,
    key: str | None,
) -> None:
    """Provide and register FILE (ITI-41); prints its entryUUID and uniqueId."""
    from server.xds_client import SourceDocument, parse_codes

    document = SourceDocument(
        file=file,
        patient_id=patient,
        title=title or file.stem,
        mime_type=mime_type,
        source_id=source,
        codes=parse_codes(codes),
    )
    with _client(url, token_file, ca, certificate, key) as client:
        entry_uuid, unique_id = client.send(document)
    click.echo(f"{entry_uuid} {unique_id}")


@command.command("query")
@click.option("--patient", metavar="CX", help="Documents of a patient (FindDocuments).")
@click.option("--uuid", "uuids", multiple=True, help="Documents by entryUUID (GetDocuments).")
@click.option("--unique-id", "unique_ids", multiple=True, help="Documents by uniqueId.")
@click.option("--deprecated", is_flag=True, help="Those that were replaced, too.")
@click.option("--refs", is_flag=True, help="Ask for ObjectRefs instead of LeafClass.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_other_side("/xds/registry")
def query(
    *,
    patient: str | None,
    uuids: tuple[str, ...],
    unique_ids: tuple[str, ...],
    deprecated: bool,
    refs: bool,
    as_json: bool,
    url: str,
    token_file: str | None,
    ca: str | None,
    certificate: str | None,
    key: str | None,
) -> None:
    """Find documents (ITI-18): of a patient, or by their identifiers."""
    if sum(map(bool, (patient, uuids, unique_ids))) != 1:
        raise click.UsageError("give one of --patient, --uuid, --unique-id")
    with _client(url, token_file, ca, certificate, key) as client:
        if patient:
            rows = client.find(patient, deprecated=deprecated, references=refs)
        else:
            rows = client.get(uuids=uuids, unique_ids=unique_ids, references=refs)
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        click.echo("  ".join(str(value) for value in row.values() if value))
    click.echo(f"{len(rows)} found", err=True)


@command.command("retrieve")
@click.argument("unique_ids", nargs=-1, required=True)
@click.option("--repository", required=True, metavar="OID", help="repositoryUniqueId.")
@click.option("--home", default="", metavar="OID", help="homeCommunityId, for a gateway.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder for the documents (default: here).",
)
@_other_side("/xds/repository")
def retrieve(
    unique_ids: tuple[str, ...],
    *,
    repository: str,
    home: str,
    output: Path,
    url: str,
    token_file: str | None,
    ca: str | None,
    certificate: str | None,
    key: str | None,
) -> None:
    """Fetch documents by uniqueId (ITI-43) into files named after them."""
    output.mkdir(parents=True, exist_ok=True)
    with _client(url, token_file, ca, certificate, key) as client:
        for written in client.retrieve(repository, unique_ids, output, home=home):
            click.echo(str(written))


@command.command("post")
@click.argument("message", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--action", required=True, metavar="URI", help="wsa:Action of the request.")
@_other_side("/xds/registry")
def post(
    message: Path,
    *,
    action: str,
    url: str,
    token_file: str | None,
    ca: str | None,
    certificate: str | None,
    key: str | None,
) -> None:
    """Send the SOAP Body in MESSAGE as it is, and print the Body of the answer."""
    with _client(url, token_file, ca, certificate, key) as client:
        click.echo(client.post(action, message.read_text("utf-8")))
