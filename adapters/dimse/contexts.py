"""Which services and transfer syntaxes we speak: presentation context negotiation.

PS3.8 7.1.1.13-14 (definition and result list), PS3.7 D.3.3.4 (role selection), PS3.4 B.5 and C.6
(SOP classes). Pure; called by `upper_layer.py` and the sub-operations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Final

from pydicom.uid import AllTransferSyntaxes
from pynetdicom.presentation import AllStoragePresentationContexts

from adapters.dimse.decode import AssociateRequest, ContextResult, ProposedContext
from adapters.dimse.limits import Limits
from adapters.dimse.sop_groups import group_of
from registry.access.values import NO_LIMITS, AeLimits
from repository.instances.compression import LOSSLESS

VERIFICATION: Final = "1.2.840.10008.1.1"
IMPLICIT_LITTLE: Final = "1.2.840.10008.1.2"
EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"

ACCEPTED: Final = 0
USER_REJECTION: Final = 1
NO_SUCH_ABSTRACT_SYNTAX: Final = 3
NO_SUCH_TRANSFER_SYNTAX: Final = 4


class Operation(StrEnum):
    """What an abstract syntax is for."""

    ECHO = "C-ECHO"
    STORE = "C-STORE"
    FIND = "C-FIND"
    MOVE = "C-MOVE"
    GET = "C-GET"
    COMMIT = "N-ACTION"
    WORKLIST = "MWL C-FIND"
    MPPS = "MPPS"
    AVAILABILITY = "IAN"
    UPS = "UPS"


STORAGE_COMMITMENT: Final = "1.2.840.10008.1.20.1"
STORAGE_COMMITMENT_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
"""Well-known SOP Instance (PS3.4 J.3.5)."""
MODALITY_WORKLIST: Final = "1.2.840.10008.5.1.4.31"
MPPS: Final = "1.2.840.10008.3.1.2.3.3"
MPPS_RETRIEVE: Final = "1.2.840.10008.3.1.2.3.4"
INSTANCE_AVAILABILITY: Final = "1.2.840.10008.5.1.4.33"
UPS_PUSH: Final = "1.2.840.10008.5.1.4.34.6.1"
UPS_WATCH: Final = "1.2.840.10008.5.1.4.34.6.2"
UPS_PULL: Final = "1.2.840.10008.5.1.4.34.6.3"
UPS_EVENT: Final = "1.2.840.10008.5.1.4.34.6.4"
"""Proposed by us alone, to tell watchers."""
UPS_QUERY: Final = "1.2.840.10008.5.1.4.34.6.5"
_OTHERS: Final = {
    VERIFICATION: Operation.ECHO,
    STORAGE_COMMITMENT: Operation.COMMIT,
    MODALITY_WORKLIST: Operation.WORKLIST,
    MPPS: Operation.MPPS,
    MPPS_RETRIEVE: Operation.MPPS,
    INSTANCE_AVAILABILITY: Operation.AVAILABILITY,
    UPS_PUSH: Operation.UPS,
    UPS_WATCH: Operation.UPS,
    UPS_PULL: Operation.UPS,
    UPS_QUERY: Operation.UPS,
}

PATIENT_ROOT: Final = "1.2.840.10008.5.1.4.1.2.1."
STUDY_ROOT: Final = "1.2.840.10008.5.1.4.1.2.2."
_QUERY: Final = {
    f"{root}{number}": service
    for root in (PATIENT_ROOT, STUDY_ROOT)
    for number, service in ((1, Operation.FIND), (2, Operation.MOVE), (3, Operation.GET))
}
_STORAGE: Final = frozenset(str(c.abstract_syntax) for c in AllStoragePresentationContexts)
# Storage SOP classes that are retired, or younger than the table, lie under the same arc;
# 200 and 201 are protocols and inventories, which belong to no study.
_STORAGE_ARC: Final = re.compile(r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.(?!20[01]\.)[0-9.]+")
_STANDARD: Final = "1.2.840.10008."
# Referenced pixel data, live video and encodings that are not data sets cannot be stored.
_NOT_STORED: Final = re.compile(r"JPIP|2110|MIME|XML|Papyrus")
_RETIRED_JPEG: Final = frozenset(
    f"1.2.840.10008.1.2.4.{n}" for n in (*range(52, 57), *range(58, 67))
)
_STORED_SYNTAXES: Final = _RETIRED_JPEG | {
    str(uid) for uid in AllTransferSyntaxes if not _NOT_STORED.search(uid.name)
}
_UNCOMPRESSED: Final = (EXPLICIT_LITTLE, IMPLICIT_LITTLE)


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context, and what the peer may be in it."""

    id: int
    abstract_syntax: str
    transfer_syntax: str
    service: Operation
    peer_is_scu: bool = True
    peer_is_scp: bool = False


@dataclass(frozen=True, slots=True)
class Negotiated:
    """The answer to all proposed presentation contexts."""

    results: tuple[ContextResult, ...]
    contexts: Mapping[int, Context]
    roles: tuple[tuple[str, bool, bool], ...]


@dataclass(frozen=True, slots=True)
class Offered:
    """An abstract syntax we accept, and in which transfer syntaxes."""

    abstract_syntax: str
    service: Operation
    transfer_syntaxes: tuple[str, ...]


def offered() -> tuple[Offered, ...]:
    """Return what we accept whoever asks; for the conformance statement.

    Storage SOP classes of the standard that are younger than this list are accepted alike, and
    private ones where the settings let them.
    """
    others = tuple(Offered(uid, what, _UNCOMPRESSED) for uid, what in (_OTHERS | _QUERY).items())
    syntaxes = tuple(sorted(_STORED_SYNTAXES, key=lambda uid: [*map(int, uid.split("."))]))
    return others + tuple(Offered(uid, Operation.STORE, syntaxes) for uid in sorted(_STORAGE))


def service_of(abstract_syntax: str, limits: Limits) -> Operation | None:
    """Return what an abstract syntax is for, None if we do not offer it."""
    if abstract_syntax in _OTHERS:
        return _OTHERS[abstract_syntax]
    if abstract_syntax in _QUERY:
        return _QUERY[abstract_syntax]
    if abstract_syntax in _STORAGE or _STORAGE_ARC.fullmatch(abstract_syntax):
        return Operation.STORE
    if limits.private_sop_classes and not abstract_syntax.startswith(_STANDARD):
        return Operation.STORE
    return None


def permits(held: AeLimits, service: Operation, abstract_syntax: str) -> bool:
    """Tell whether an AE title may use a service, and store what it is about to."""
    if held.services and service.name.lower() not in held.services:
        return False
    if service is not Operation.STORE or not held.sop_classes:
        return True
    return abstract_syntax in held.sop_classes or group_of(abstract_syntax) in held.sop_classes


def negotiate(request: AssociateRequest, limits: Limits, held: AeLimits = NO_LIMITS) -> Negotiated:
    """Answer every proposed presentation context and role, to an AE that is held to `held`."""
    roles = {uid: (scu, scp) for uid, scu, scp in request.user.roles}
    results, contexts = [], {}
    for proposed in request.contexts:
        service = service_of(proposed.abstract_syntax, limits)
        scu, scp = True, False
        if service is Operation.STORE:
            scu, scp = roles.get(proposed.abstract_syntax, (True, False))
        scu = scu and service is not None and permits(held, service, proposed.abstract_syntax)
        # What he only receives (C-GET) is no matter of what he may store.
        syntax = _choose(proposed, service, limits, held if scu else NO_LIMITS)
        result = ACCEPTED
        if service is None:
            result = NO_SUCH_ABSTRACT_SYNTAX
        elif not (scu or scp):
            result = USER_REJECTION
        elif not syntax:
            result = NO_SUCH_TRANSFER_SYNTAX
        else:
            contexts[proposed.id] = Context(
                proposed.id, proposed.abstract_syntax, syntax, service, scu, scp
            )
        results.append(ContextResult(proposed.id, result, syntax or proposed.transfer_syntaxes[0]))
    agreed = {
        c.abstract_syntax: (c.abstract_syntax, c.peer_is_scu, c.peer_is_scp)
        for c in contexts.values()
        if c.service is Operation.STORE and c.abstract_syntax in roles
    }
    return Negotiated(tuple(results), contexts, tuple(agreed.values()))


def to_send(contexts: Iterable[Context], sop_class: str, stored_syntax: str) -> Context | None:
    """Return the context to send an instance in: as stored, else uncompressed, else lossless."""
    usable = {
        c.transfer_syntax: c for c in contexts if c.peer_is_scp and c.abstract_syntax == sop_class
    }
    for syntax in (stored_syntax, *_UNCOMPRESSED, *LOSSLESS):
        if syntax in usable:
            return usable[syntax]
    return None


def proposals(wanted: Iterable[tuple[str, str]]) -> list[ProposedContext]:
    """Return the contexts to propose to a C-MOVE destination for (SOP class, stored syntax).

    Each pair gets a context of its own, so that the peer's choice is no loss; the uncompressed
    syntaxes follow for who takes nothing else. At most 128 (PS3.8 9.3.2.2).
    """
    pairs = list(dict.fromkeys(wanted))
    classes = dict.fromkeys(sop_class for sop_class, _ in pairs)
    fallback = ((sop_class, syntax) for syntax in _UNCOMPRESSED for sop_class in classes)
    every = dict.fromkeys((*pairs, *fallback))
    return [
        ProposedContext(2 * number + 1, sop_class, (syntax,))
        for number, (sop_class, syntax) in enumerate(islice(every, 128))
    ]


def _choose(
    proposed: ProposedContext, service: Operation | None, limits: Limits, held: AeLimits
) -> str:
    if service is Operation.STORE:
        known = [
            uid
            for uid in proposed.transfer_syntaxes
            if (uid in _STORED_SYNTAXES or uid in limits.transfer_syntaxes)
            and (uid in held.transfer_syntaxes or not held.transfer_syntaxes)
        ]
        # The peer's first choice, but explicit VRs where both cost him nothing.
        if known and known[0] == IMPLICIT_LITTLE and EXPLICIT_LITTLE in known:
            return EXPLICIT_LITTLE
        return known[0] if known else ""
    return next((uid for uid in _UNCOMPRESSED if uid in proposed.transfer_syntaxes), "")
