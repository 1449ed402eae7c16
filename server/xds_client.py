"""What `pianku xds` does: a document source and consumer made of our own codec and SOAP client.

Implements the Document Source of ITI TF-2 3.41 and the Document Consumer of 3.18 and 3.43.
Called by `server.cli.xds`.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import msgspec
from lxml import etree

from adapters.soap.client import Peer, Reply, SoapClient
from adapters.soap.exchange import Part
from adapters.soap.names import XOP, escaped
from adapters.xds import decode_objects, encode, names
from adapters.xds.ebrim import EbrimObject, Ids
from kernel.codes import Code
from kernel.identifiers import new_uid, urn
from kernel.refusals import Conflict, Invalid
from kernel.times import dtm, now
from registry.documents.values import (
    Association,
    AssociationType,
    DocumentEntry,
    Submission,
    SubmissionSet,
)
from repository.tiers.ports import BlobStore

_LOINC: Final = "2.16.840.1.113883.6.1"
_SNOMED: Final = "2.16.840.1.113883.6.96"
_FORMATS: Final = "1.3.6.1.4.1.19376.1.2.3"
_USUAL: Final[Mapping[str, Code]] = {
    "class": Code("REPORTS", "1.3.6.1.4.1.19376.1.2.6.1", "Reports"),
    "type": Code("18748-4", _LOINC, "Diagnostic imaging study"),
    "format": Code("urn:ihe:iti:xds:2017:mimeTypeSufficient", _FORMATS, "mimeType Sufficient"),
    "facility": Code("22232009", _SNOMED, "Hospital"),
    "practice": Code("394914008", _SNOMED, "Radiology"),
    "content": Code("18748-4", _LOINC, "Diagnostic imaging study"),
}
_FIND: Final = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
_GET: Final = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
_APPROVED: Final = f"{names.STATUS}Approved"
_DEPRECATED: Final = f"{names.STATUS}Deprecated"
_BLOCK: Final = 1 << 20
_UNSAFE: Final = re.compile(r"[^\w.-]")


class RefusedByPeer(Conflict):
    """The other side answered with errors: their codes and contexts, in its own words."""

    code = "refused_by_peer"


class BadCodeOption(Invalid):
    """A --code is not NAME=CODE^DISPLAY^SCHEME, or its NAME is none of the six."""

    code = "bad_code_option"


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A file with what its metadata will say."""

    file: Path
    patient_id: str
    title: str
    mime_type: str = ""
    source_id: str = "2.25.1"
    codes: Mapping[str, Code] = field(default_factory=dict)

    def submission(self) -> Submission:
        """Return the submission of the document; hash and size are the repository's to add."""
        codes = {**_USUAL, **self.codes}
        moment = dtm(now())
        entry = DocumentEntry(
            entry_uuid=uuid4(),
            unique_id=new_uid(),
            patient_id=self.patient_id,
            mime_type=self.mime_type
            or mimetypes.guess_type(self.file.name)[0]
            or "application/octet-stream",
            class_code=codes["class"],
            type_code=codes["type"],
            format_code=codes["format"],
            healthcare_facility_type_code=codes["facility"],
            practice_setting_code=codes["practice"],
            confidentiality_codes=(Code("N", "2.16.840.1.113883.5.25", "normal"),),
            creation_time=moment,
            language_code="zh-CN",
            title=self.title,
            source_patient_id=self.patient_id,
        )
        whole = SubmissionSet(
            entry_uuid=uuid4(),
            unique_id=new_uid(),
            source_id=self.source_id,
            patient_id=self.patient_id,
            submission_time=moment,
            content_type_code=codes["content"],
        )
        member = Association(
            entry_uuid=uuid4(),
            type=AssociationType.HAS_MEMBER,
            source=whole.entry_uuid,
            target=entry.entry_uuid,
            submission_set_status="Original",
        )
        return Submission(submission_set=whole, entries=(entry,), associations=(member,))


def parse_codes(options: Iterable[str]) -> dict[str, Code]:
    """Return the codes of `--code NAME=CODE^DISPLAY^SCHEME` options; raises BadCodeOption."""
    found: dict[str, Code] = {}
    for option in options:
        name, _, text = option.partition("=")
        parts = text.split("^")
        if name not in _USUAL or len(parts) != 3 or not parts[0] or not parts[2]:
            known = ", ".join(_USUAL)
            raise BadCodeOption(f"{option!r}: write NAME=CODE^DISPLAY^SCHEME; NAME is of {known}")
        found[name] = Code(parts[0], parts[2], parts[1])
    return found


class XdsClient:
    """One system asked for documents or given some."""

    def __init__(self, peer: Peer, store: BlobStore) -> None:
        self._peer = peer
        self._store = store
        self._soap = SoapClient(store)

    def send(self, document: SourceDocument) -> tuple[str, str]:
        """Provide and register a file; return its entryUUID and uniqueId. Raises RefusedByPeer."""
        submission = document.submission()
        (entry,) = submission.entries
        incoming = self._store.incoming()
        with document.file.open("rb") as octets:
            while block := octets.read(_BLOCK):
                incoming.write(block)
        incoming.seal()
        part = Part(f"{uuid4()}@pianku", incoming.keep(), incoming.size)
        body = (
            f'<xds:ProvideAndRegisterDocumentSetRequest xmlns:xds="{names.XDSB}">'
            f"{encode.submit_request(submission)}"
            f'<xds:Document id="{urn(entry.entry_uuid)}"><xop:Include xmlns:xop="{XOP}" '
            f'href="cid:{part.cid}"/></xds:Document></xds:ProvideAndRegisterDocumentSetRequest>'
        )
        with self._soap.call(self._peer, names.ITI_41, body, parts=(part,)) as reply:
            _check(reply.body)
        return urn(entry.entry_uuid), entry.unique_id

    def find(self, patient_id: str, *, deprecated: bool, references: bool) -> list[dict[str, Any]]:
        """Return a patient's documents (FindDocuments). Raises RefusedByPeer."""
        statuses = (_APPROVED, _DEPRECATED) if deprecated else (_APPROVED,)
        parameters = {
            "$XDSDocumentEntryPatientId": _quoted((patient_id,))[1:-1],
            "$XDSDocumentEntryStatus": _quoted(statuses),
        }
        return self._query(_FIND, parameters, references=references)

    def get(
        self, *, uuids: Sequence[str] = (), unique_ids: Sequence[str] = (), references: bool
    ) -> list[dict[str, Any]]:
        """Return documents by one kind of identifier (GetDocuments). Raises RefusedByPeer."""
        name = "$XDSDocumentEntryEntryUUID" if uuids else "$XDSDocumentEntryUniqueId"
        parameters = {name: _quoted(uuids or unique_ids)}
        return self._query(_GET, parameters, references=references)

    def retrieve(
        self, repository: str, unique_ids: Sequence[str], folder: Path, *, home: str = ""
    ) -> Iterator[Path]:
        """Fetch documents and yield the files they were written to. Raises RefusedByPeer."""
        told = f"<xds:HomeCommunityId>{escaped(home)}</xds:HomeCommunityId>" if home else ""
        requests = "".join(
            f"<xds:DocumentRequest>{told}"
            f"<xds:RepositoryUniqueId>{escaped(repository)}</xds:RepositoryUniqueId>"
            f"<xds:DocumentUniqueId>{escaped(unique_id)}</xds:DocumentUniqueId>"
            "</xds:DocumentRequest>"
            for unique_id in unique_ids
        )
        body = (
            f'<xds:RetrieveDocumentSetRequest xmlns:xds="{names.XDSB}">{requests}'
            "</xds:RetrieveDocumentSetRequest>"
        )
        with self._soap.call(self._peer, names.ITI_43, body, mtom=True) as reply:
            for response in reply.body.iterfind(f"{{{names.XDSB}}}DocumentResponse"):
                yield self._written(reply, response, folder)
            told_status = reply.body.find(f"{{{names.RS}}}RegistryResponse")
            _check(reply.body if told_status is None else told_status)

    def post(self, action: str, body: str) -> str:
        """Send a Body as it is and return the Body of the answer, indented."""
        with self._soap.call(self._peer, action, body) as reply:
            etree.indent(reply.body)
            return etree.tostring(reply.body, encoding="unicode")

    def _written(self, reply: Reply, response: etree._Element, folder: Path) -> Path:
        unique_id = response.findtext(f"{{{names.XDSB}}}DocumentUniqueId") or "document"
        kind = response.findtext(f"{{{names.XDSB}}}mimeType") or ""
        element = response.find(f"{{{names.XDSB}}}Document")
        content = None if element is None else reply.content(element)
        if content is None:
            raise RefusedByPeer(f"the answer holds no octets for {unique_id[:80]}")
        # The name comes from the other side: nothing of it may leave the folder.
        name = _UNSAFE.sub("_", unique_id).lstrip(".") + (mimetypes.guess_extension(kind) or "")
        place = folder / name
        with place.open("wb") as file:
            for offset in range(0, content.size, _BLOCK):
                file.write(content.read(offset, _BLOCK))
        content.discard()
        return place

    def _query(
        self, query: str, parameters: Mapping[str, str], *, references: bool
    ) -> list[dict[str, Any]]:
        slots = "".join(
            f'<rim:Slot name="{name}"><rim:ValueList><rim:Value>{escaped(value)}</rim:Value>'
            "</rim:ValueList></rim:Slot>"
            for name, value in parameters.items()
        )
        returned = "ObjectRef" if references else "LeafClass"
        body = (
            f'<query:AdhocQueryRequest xmlns:query="{names.QUERY}" xmlns:rim="{names.RIM}">'
            f'<query:ResponseOption returnType="{returned}" returnComposedObjects="true"/>'
            f'<rim:AdhocQuery id="{query}">{slots}</rim:AdhocQuery></query:AdhocQueryRequest>'
        )
        with self._soap.call(self._peer, names.ITI_18, body) as reply:
            _check(reply.body)
            listed = reply.body.find(f"{{{names.RIM}}}RegistryObjectList")
            return [_row(child) for child in (() if listed is None else listed)]


def _row(element: etree._Element) -> dict[str, Any]:
    kind = etree.QName(element).localname
    if kind != "ExtrinsicObject":
        return {"object": kind, "id": element.get("id", "")}
    ids = Ids((element.get("id", ""),), iter(uuid4, None))
    entry = decode_objects.document_entry(EbrimObject(element, "DocumentEntry"), ids)
    told: dict[str, Any] = msgspec.to_builtins(entry)
    first = {
        name: told.pop(name, "")
        for name in ("entry_uuid", "unique_id", "availability_status", "mime_type", "title")
    }
    return {**first, "repository_unique_id": told.pop("repository_unique_id", "")}


def _check(body: etree._Element) -> None:
    """Raise RefusedByPeer unless the response says Success."""
    if body.get("status") == names.SUCCESS:
        return
    errors = [
        f"{e.get('errorCode')}: {e.get('codeContext')}"
        for e in body.iter(f"{{{names.RS}}}RegistryError")
    ]
    raise RefusedByPeer("; ".join(errors) or "the other side does not say Success")


def _quoted(values: Iterable[str]) -> str:
    inside = ",".join("'" + value.replace("'", "''") + "'" for value in values)
    return f"({inside})"
