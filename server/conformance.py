"""The DICOM Conformance Statement, made from the tables the server negotiates by.

PS3.2 annex N (template): overview, implementation model, services, configuration, network,
security, character sets. Called by `pianku dimse conformance` and by the generator of the docs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
from pydicom.datadict import dictionary_description, keyword_for_tag
from pydicom.uid import UID
from pynetdicom.sop_class import _STORAGE_CLASSES

from adapters.dicomweb.capabilities import OFFERS
from adapters.dimse import faults
from adapters.dimse.contexts import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    INSTANCE_AVAILABILITY,
    PATIENT_ROOT,
    STORAGE_COMMITMENT,
    Offered,
    Operation,
    offered,
)
from adapters.dimse.decode import APPLICATION_CONTEXT
from adapters.dimse.query import SOP_UID, STUDY_UID, Level
from adapters.dimse.sop_groups import group_of
from adapters.dimse.worklist import described
from projections.study_index.attributes import (
    INSTANCE_RETURNED,
    MATCHING,
    SERIES_MORE,
    SERIES_RETURNED,
    STUDY_MORE,
    STUDY_RETURNED,
    Kind,
)
from projections.study_index.attributes import Level as IndexLevel
from projections.worklist.view import Step
from registry.access.values import AE_RIGHTS, DIMSE_SERVICES, SOP_CLASS_GROUPS
from registry.orders.values import Order
from repository.instances import charsets
from repository.instances.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from server.dicom_settings import DimseSettings
from server.dicom_tls import CIPHERS

_SERVICES: Final = {
    Operation.ECHO: "Verification",
    Operation.STORE: "Storage",
    Operation.FIND: "Query/Retrieve: query",
    Operation.MOVE: "Query/Retrieve: move",
    Operation.GET: "Query/Retrieve: get",
    Operation.COMMIT: "Storage Commitment Push Model",
    Operation.WORKLIST: "Modality Worklist",
    Operation.MPPS: "Modality Performed Procedure Step",
    Operation.AVAILABILITY: "Instance Availability Notification",
    Operation.UPS: "Unified Procedure Step",
}
_AS_SCU: Final = {
    Operation.ECHO: "`pianku dimse echo`",
    Operation.STORE: "sub-operations of C-MOVE; `pianku dimse store`",
    Operation.FIND: "`pianku dimse find`",
    Operation.MOVE: "`pianku dimse move`",
    Operation.GET: "`pianku dimse get`",
    Operation.COMMIT: "`pianku dimse commit`; reports (N-EVENT-REPORT) as SCP",
    Operation.MPPS: "`pianku dimse mpps`",
    Operation.AVAILABILITY: "to the AE titles that are to be told; `pianku dimse ian`",
    Operation.UPS: "no; reports (N-EVENT-REPORT) as SCP of UPS Event",
}
_MATCHED: Final = {
    Kind.UID: "single UID, list of UIDs",
    Kind.KEY: "single value, wildcard; case counts",
    Kind.TEXT: "single value, wildcard; case does not count",
    Kind.CODE: "single value, wildcard",
    Kind.DATE: "single date, range",
    Kind.TIME: "single time, range",
    Kind.NUMBER: "single value",
    Kind.SET: "single value, wildcard; any of the values",
    Kind.PATIENT: "person name in any component group, wildcard; case does not count",
    Kind.PERSON: "person name in any component group, wildcard; case does not count",
}
_LEVELS: Final = {
    Level.PATIENT: (IndexLevel.STUDY, STUDY_RETURNED + STUDY_MORE),
    Level.STUDY: (IndexLevel.STUDY, STUDY_RETURNED + STUDY_MORE),
    Level.SERIES: (IndexLevel.SERIES, SERIES_RETURNED + SERIES_MORE),
    Level.IMAGE: (IndexLevel.INSTANCE, INSTANCE_RETURNED),
}
_PATIENT_MODULE: Final = range(0x00100000, 0x00110000)
_YOUNG: Final = {str(uid): keyword for keyword, uid in _STORAGE_CLASSES.items()}
"""Keywords of storage SOP classes, also of those that one list of names knows before the other."""
_WORDS: Final = {
    faults.SUCCESS: "success",
    faults.PENDING: "pending: a match, or sub-operations continue",
    faults.PENDING_WITHOUT_OPTIONAL_KEYS: "pending: a match, without some of the optional keys",
    faults.CANCELLED: "ended by C-CANCEL",
    faults.SUBOPERATIONS_FAILED: "sub-operations complete, some failed or warned",
    faults.CANNOT_PERFORM_SUBOPERATIONS: "no sub-operation could be performed",
    faults.MOVE_DESTINATION_UNKNOWN: "the move destination is not known",
    faults.NO_SUCH_SOP_CLASS_N: "the request names another SOP class",
    faults.NO_SUCH_INSTANCE: "the request names another SOP instance",
    faults.NO_SUCH_ACTION: "the action type is not known",
    faults.OUT_OF_RESOURCES: "out of resources",
    faults.DATASET_DOES_NOT_MATCH: "the identifier does not go with the SOP class",
    faults.UPS_CREATED_WITH_MODIFICATIONS: "created with modifications",
    faults.UPS_ALREADY_CANCELED: "the workitem is CANCELED already",
    faults.UPS_ALREADY_COMPLETED: "the workitem is COMPLETED already",
}


def statement() -> str:
    """Return the statement as Markdown."""
    parts = (
        "# DICOM Conformance Statement",
        _introduction(),
        _overview(),
        _model(),
        _services(),
        _storage(),
        _queries(),
        _statuses(),
        _web(),
        _configuration(),
        _network(),
        _security(),
        _character_sets(),
    )
    return "\n\n".join(parts) + "\n"


def _introduction() -> str:
    return (
        "What a Pianku archive accepts and offers by DICOM, in the order of PS3.2 annex N. The"
        " tables are made from those the server itself negotiates by; what an installation narrows"
        " (settings, rights of an AE title) is said under Configuration."
    )


def _overview() -> str:
    counts: dict[Operation, int] = {}
    for one in offered():
        counts[one.service] = counts.get(one.service, 0) + 1
    rows = [
        (_SERVICES[service], str(counts[service]), "yes", _AS_SCU.get(service, "no"))
        for service in Operation
        if service in counts
    ]
    return _section(
        "1 Overview",
        "Network services. Media storage (PS3.10 file sets) is not offered; DICOMweb is in"
        " section 4.4.",
        _table(("service", "SOP classes", "SCP", "SCU"), rows),
    )


def _model() -> str:
    return _section(
        "2 Implementation model",
        "One application entity. It stores what it is sent as it is sent: the data set of an"
        " instance is never changed in the archive, also where an attribute would be coerced"
        " (PS3.4 B.4.1.3); corrections are composed into what is sent out. An instance is"
        " acknowledged when it is durable. Storage is level 2 (full): all attributes, private ones"
        " too, are kept, and digital signatures with them (signature level 3: bit preserving).",
    )


def _services() -> str:
    rows = [
        (_name(one.abstract_syntax), one.abstract_syntax, str(one.service), _syntaxes(one))
        for one in offered()
        if one.service is not Operation.STORE
    ]
    return _section(
        "3 Presentation contexts",
        "### 3.1 Accepted, all services but storage",
        _table(("SOP class", "UID", "service", "transfer syntaxes"), rows),
        "Where a peer proposes both, Explicit VR Little Endian is chosen. Extended negotiation of"
        " the query and retrieval classes (PS3.7 D.3.3.5, PS3.4 C.5) is answered: relational"
        " queries, combined date-time matching, fuzzy matching of person names, empty value and"
        " multiple value matching are agreed to; timezone adjustment and conversion of enhanced"
        " multi-frame images are not. Queries are relational without it too, unless"
        " `dimse.relational_queries` says so, and person names match in every component group.",
    )


def _storage() -> str:
    stored = [one for one in offered() if one.service is Operation.STORE]
    rows = [
        (_name(one.abstract_syntax), one.abstract_syntax, group_of(one.abstract_syntax))
        for one in sorted(stored, key=lambda one: _name(one.abstract_syntax))
    ]
    syntaxes = [(_name(uid), uid) for uid in stored[0].transfer_syntaxes]
    return "\n\n".join(
        (
            "### 3.2 Accepted for storage",
            (
                "Each class in each of the transfer syntaxes of 3.3; the peer's first choice is"
                " taken, but Explicit VR Little Endian where that is Implicit and both are"
                " proposed. Other SOP classes below 1.2.840.10008.5.1.4.1.1 (retired ones, DICOS,"
                " DICONDE), but not those below .200 and .201 that are not listed, are stored"
                " alike, private ones if `dimse.private_sop_classes` says so. Transfer syntaxes of"
                " `dimse.private_transfer_syntaxes` are taken besides. SCP role selection (PS3.7"
                " D.3.3.4) is answered for C-GET."
            ),
            _table(("SOP class", "UID", "group"), rows),
            "### 3.3 Transfer syntaxes for storage",
            _table(("transfer syntax", "UID"), syntaxes),
            "### 3.4 Proposed",
            (
                "To a C-MOVE destination: a context for each SOP class and the transfer syntax it"
                f" is stored in, then each class in {_name(EXPLICIT_LITTLE)} and"
                f" {_name(IMPLICIT_LITTLE)}, at most 128. What the peer does not take as stored is"
                " decoded for him. For reports of storage commitment: "
                f"{_name(STORAGE_COMMITMENT)} in the SCP role; for notifications:"
                f" {_name(INSTANCE_AVAILABILITY)}; each in {_name(EXPLICIT_LITTLE)} and in"
                f" {_name(IMPLICIT_LITTLE)}."
            ),
        )
    )


def _queries() -> str:
    parts = [
        "## 4 Services",
        "### 4.1 Query keys",
        (
            "Every key may also be asked for with universal matching. By QIDO-RS attributes that"
            " have no column match too where they are kept, in sequences as well; of an instance"
            " that is the whole header."
        ),
    ]
    for level, (table, returned) in _LEVELS.items():
        keys = {tag: column for tag, column in MATCHING.items() if column.table is table}
        if level is Level.PATIENT:
            keys = {tag: column for tag, column in keys.items() if tag in _PATIENT_MODULE}
        rows = [(*_attribute(tag), _MATCHED[column.kind]) for tag, column in sorted(keys.items())]
        more = [
            tag
            for tag in sorted(returned)
            if tag not in keys and (level is not Level.PATIENT or tag in _PATIENT_MODULE)
        ]
        rows += [(*_attribute(tag), "returned") for tag in more]
        root = f" ({_name(f'{PATIENT_ROOT}1')} only)" if level is Level.PATIENT else ""
        parts += [f"#### {level}{root}", _table(("attribute", "tag", "matching"), rows)]
    parts += ["#### Modality Worklist", _table(("attribute", "tag"), _worklist_keys())]
    unique = ", ".join(_attribute(tag)[0] for tag in (STUDY_UID, SOP_UID))
    parts.append(f"Unique keys of C-MOVE and C-GET ({unique}, ...) may be lists of UIDs.")
    return "\n\n".join(parts)


def _worklist_keys() -> list[tuple[str, str]]:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    order = Order(starts=moment.strftime("%Y%m%d%H%M%S"))
    rows: list[tuple[str, str]] = []
    for element in described(Step("", UUID(int=0), "scheduled", order)):
        rows.append(_attribute(int(element.tag)))
        if element.VR == "SQ":
            for inner in element.value[0]:
                name, tag = _attribute(int(inner.tag))
                rows.append((f"> {name}", tag))
    return rows


def _statuses() -> str:
    parts = ["### 4.2 Status codes"]
    for service in Operation:
        rows = [
            (f"{word:04X}H", why or _WORDS.get(word, "")) for word, why in faults.words(service)
        ]
        parts += [f"#### {_SERVICES[service]}", _table(("status", "meaning"), rows)]
    rejections = (
        (faults.CALLED_AE_UNKNOWN, "the called AE title is not ours"),
        (faults.CALLING_AE_UNKNOWN, "the calling AE title may not come in, or not so"),
        (faults.NO_SUCH_APPLICATION_CONTEXT, "another application context"),
        (faults.NO_SUCH_PROTOCOL_VERSION, "another protocol version"),
        (faults.TEMPORARY_CONGESTION, "who he is cannot be looked up now"),
        (faults.LOCAL_LIMIT_EXCEEDED, "all places are taken, or all of this AE title"),
    )
    refused = [(*map(str, told), why) for told, why in rejections]
    parts += ["### 4.3 Rejected associations"]
    parts += [_table(("result", "source", "reason", "meaning"), refused)]
    return "\n\n".join(parts)


def _web() -> str:
    rows = [(one.method, f"`{one.path}`", ", ".join(one.media_types)) for one in OFFERS]
    return "\n\n".join(
        (
            "### 4.4 DICOMweb (PS3.18)",
            "Below `/dicom-web`; WADO-URI is at `/wado`.",
            _table(("method", "path", "media types"), rows),
        )
    )


def _configuration() -> str:
    rows = []
    for one in msgspec.structs.fields(DimseSettings):
        told = msgspec.inspect.type_info(one.type)
        schema = told.extra_json_schema if isinstance(told, msgspec.inspect.Metadata) else None
        default = msgspec.json.encode(one.default).decode()
        rows.append((f"`dimse.{one.name}`", f"`{default}`", (schema or {}).get("description", "")))
    return _section(
        "5 Configuration",
        _table(("setting", "default", "meaning"), rows),
        "Of each AE title, without a restart: the networks it may come from; its rights"
        f" ({_words(AE_RIGHTS)}); the services it is held to ({_words(DIMSE_SERVICES)}); the SOP"
        f" classes it may store, by UID or group ({_words(SOP_CLASS_GROUPS)}); the transfer"
        " syntaxes it may store in; how many associations it may have; whether it must come by"
        " TLS and with which certificates; where, and whether by TLS, it is reached.",
    )


def _network() -> str:
    told = DimseSettings()
    rows = [
        ("application context", APPLICATION_CONTEXT),
        ("implementation class UID", IMPLEMENTATION_CLASS_UID),
        ("implementation version name", IMPLEMENTATION_VERSION),
        ("maximum length received", f"{told.max_pdu} (`dimse.max_pdu`)"),
        ("associations at once", f"{told.max_associations} for each receiver process"),
        ("asynchronous operations", "not negotiated: one at a time"),
        ("user identity negotiation", "not supported: AE title, network and certificate count"),
        ("ARTIM timer", f"{told.artim_seconds:g} s (`dimse.artim_seconds`)"),
        ("idle association", f"aborted after {told.idle_seconds:g} s (`dimse.idle_seconds`)"),
        ("TCP", f"port {told.port} (`dimse.port`); IPv4 or IPv6"),
        ("TLS", f"port {told.tls_port} (`dimse.tls_port`)"),
    ]
    return _section("6 Network", _table(("what", "value"), rows))


def _security() -> str:
    suites = ", ".join(CIPHERS.values())
    return _section(
        "7 Security",
        "BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile (PS3.15 B.12), as acceptor"
        " and requestor: TLS 1.2 and 1.3, older versions are refused. Cipher suites for TLS 1.2:"
        f" {suites}; for TLS 1.3 those of the library. Certificates of peers are verified against"
        " the authorities of `dimse.tls_ca` and can be tied to an AE title by fingerprint. Keys"
        " are PEM files, read at the start. Every association that stores, queries or retrieves,"
        " and every refusal, is an audit event (PS3.15 A.5).",
    )


def _character_sets() -> str:
    return _section(
        "8 Character sets",
        "Understood: " + ", ".join(charsets.SUPPORTED) + ", and code extensions by ISO 2022"
        " escapes. Text that is plainly not in the set it declares is read in the set it is in;"
        " the stored octets stay. Answers to queries are in ISO_IR 192, or in GB18030 or GBK where"
        " the query is; in the default repertoire where that holds all of them.",
    )


def _section(title: str, *parts: str) -> str:
    return "\n\n".join((f"## {title}", *parts))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def _name(uid: str) -> str:
    named: str = UID(uid).name
    if named == uid and uid in _YOUNG:
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", _YOUNG[uid])
    return named


def _syntaxes(one: Offered) -> str:
    return ", ".join(_name(uid) for uid in one.transfer_syntaxes)


def _attribute(tag: int) -> tuple[str, str]:
    named = dictionary_description(tag) if keyword_for_tag(tag) else ""
    return named, f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _words(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
