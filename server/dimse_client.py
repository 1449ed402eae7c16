"""What `pianku dimse` does: a small DICOM SCU for troubleshooting, at this or any other node.

Implements the user's side of PS3.4 A, B, C and J on pynetdicom, so that it says of our own door
what a stranger would. Called by `server.cli.dimse`.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, generate_uid
from pynetdicom import AE, StoragePresentationContexts, build_role, evt

from kernel.refusals import Invalid, Unavailable

VERIFICATION: Final = "1.2.840.10008.1.1"
COMMITMENT: Final = "1.2.840.10008.1.20.1"
_COMMITMENT_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
_ROOTS: Final = {"patient": "1.2.840.10008.5.1.4.1.2.1.", "study": "1.2.840.10008.5.1.4.1.2.2."}
_FIND, _MOVE, _GET = "1", "2", "3"
_MOST_CONTEXTS: Final = 128
_PENDING: Final = frozenset({0xFF00, 0xFF01})


class PeerUnavailable(Unavailable):
    """The other node cannot be reached, or accepts no association."""

    code = "dimse_peer_unavailable"


class BadKey(Invalid):
    """A key is not `Keyword=value` or `(gggg,eeee)=value`."""

    code = "bad_key"


class NoInstances(Invalid):
    """None of the files is a DICOM file."""

    code = "no_instances"


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is asked, and as whom."""

    host: str
    port: int
    called: str
    calling: str
    timeout: float = 30.0
    tls: ssl.SSLContext | None = None


@dataclass(slots=True)
class Moved:
    """How a retrieval ended."""

    status: int
    completed: int = 0
    failed: int = 0
    warning: int = 0


@dataclass(slots=True)
class Committed:
    """What a storage commitment was answered with."""

    status: int
    """Of the N-ACTION."""
    transaction_uid: str
    is_reported: bool = False
    committed: list[str] = field(default_factory=list)
    failed: dict[str, int] = field(default_factory=dict)
    """SOP Instance UID -> Failure Reason."""


def echo(peer: Peer) -> int:
    """Return the status of a C-ECHO; raises PeerUnavailable."""
    with associated(peer, [(VERIFICATION, ())]) as association:
        return status_of(association.send_c_echo())


def store(peer: Peer, paths: Iterable[Path], tell: Callable[[Path, int], None]) -> None:
    """Send files by C-STORE, as many associations as their contexts need."""
    for part in _parts(list(_instances(paths))):
        with associated(peer, dict.fromkeys((c, (s,)) for _, c, s, _ in part)) as association:
            for path, *_ in part:
                try:
                    status = status_of(association.send_c_store(str(path)))
                except ValueError:
                    status = 0x0122  # he accepted no context for it
                tell(path, status)


def find(peer: Peer, root: str, keys: Sequence[str], tell: Callable[[Dataset], None]) -> int:
    """Query by C-FIND; `tell` gets each match. Returns the final status."""
    model = _ROOTS[root] + _FIND
    status = 0xC000
    with associated(peer, [(model, ())]) as association:
        for answer, match in association.send_c_find(identifier(keys), model):
            status = status_of(answer)
            if status in _PENDING and match is not None:
                tell(match)
    return status


def move(peer: Peer, root: str, keys: Sequence[str], destination: str) -> Moved:
    """Ask the peer by C-MOVE to send to a third node."""
    model = _ROOTS[root] + _MOVE
    with associated(peer, [(model, ())]) as association:
        return _end_of(association.send_c_move(identifier(keys), destination, model))


def get(peer: Peer, root: str, keys: Sequence[str], folder: Path) -> Moved:
    """Retrieve by C-GET into a folder, a file an instance."""
    model = _ROOTS[root] + _GET
    folder.mkdir(parents=True, exist_ok=True)

    def keep(event: evt.Event) -> int:
        name = UID(str(getattr(event.request, "AffectedSOPInstanceUID", "")))
        if not name.is_valid:
            return 0xC000  # it becomes a file name
        try:
            (folder / f"{name}.dcm").write_bytes(event.encoded_dataset())
        except OSError:
            return 0xA700
        return 0x0000

    classes = [str(one.abstract_syntax) for one in StoragePresentationContexts]
    wanted = [(model, ()), *((uid, ()) for uid in classes[: _MOST_CONTEXTS - 1])]
    roles = [build_role(uid, scp_role=True) for uid, _ in wanted[1:]]
    with associated(peer, wanted, roles, [(evt.EVT_C_STORE, keep)]) as association:
        return _end_of(association.send_c_get(identifier(keys), model))


def commit(peer: Peer, paths: Iterable[Path], *, wait: float, listen: int = 0) -> Committed:
    """Ask for storage commitment and await the report, here or on a port of our own."""
    wanted, reported = Dataset(), threading.Event()
    wanted.TransactionUID = generate_uid()
    wanted.ReferencedSOPSequence = [_reference(c, uid) for _, c, _, uid in _instances(paths)]
    done = Committed(0, str(wanted.TransactionUID))

    def take(event: evt.Event) -> tuple[int, None]:
        told = event.event_information
        if str(told.get("TransactionUID", "")) == done.transaction_uid:
            done.committed = [
                str(one.ReferencedSOPInstanceUID) for one in told.get("ReferencedSOPSequence", [])
            ]
            done.failed = {
                str(one.ReferencedSOPInstanceUID): int(one.get("FailureReason", 0x0110))
                for one in told.get("FailedSOPSequence", [])
            }
            done.is_reported = True
            reported.set()
        return 0x0000, None

    handlers: list[Any] = [(evt.EVT_N_EVENT_REPORT, take)]
    server = None
    if listen:
        ae = AE(peer.calling)
        ae.add_supported_context(COMMITMENT, scu_role=True, scp_role=True)
        server = ae.start_server(("", listen), block=False, evt_handlers=handlers)
    try:
        with associated(peer, [(COMMITMENT, ())], (), handlers) as association:
            answer, _ = association.send_n_action(wanted, 1, COMMITMENT, _COMMITMENT_INSTANCE)
            done.status = status_of(answer)
            if done.status == 0 and not listen:
                reported.wait(wait)
        if done.status == 0 and listen:
            reported.wait(wait)
    finally:
        if server is not None:
            server.shutdown()
    return done


def identifier(keys: Sequence[str]) -> Dataset:
    """Return the identifier of `Keyword=value` and `(gggg,eeee)=value`; raises BadKey."""
    made = Dataset()
    for key in keys:
        name, _, value = key.partition("=")
        tag = tag_for_keyword(name)
        if tag is None:
            digits = name.strip("()").replace(",", "")
            if len(digits) != 8 or not all(one in "0123456789abcdefABCDEF" for one in digits):
                raise BadKey(f"{name!r} is neither a keyword nor a tag")
            tag = int(digits, 16)
        try:
            made.add_new(tag, pydicom.datadict.dictionary_VR(tag), value)
        except (KeyError, ValueError) as problem:
            raise BadKey(f"{name!r} cannot be a key here") from problem
    # What is typed in a terminal is Unicode.
    if any(not key.isascii() for key in keys):
        made.SpecificCharacterSet = "ISO_IR 192"
    return made


@contextmanager
def associated(
    peer: Peer,
    contexts: Iterable[tuple[str, tuple[str, ...]]],
    roles: Sequence[Any] = (),
    handlers: Sequence[tuple[Any, Callable[..., Any]]] = (),
) -> Generator[Any]:
    """Associate for a block; raises PeerUnavailable. Without syntaxes the usual are proposed."""
    ae = AE(peer.calling)
    ae.acse_timeout = ae.dimse_timeout = ae.connection_timeout = peer.timeout
    # The report of a commitment may take its time: `commit` has a limit of its own.
    ae.network_timeout = None
    for abstract, syntaxes in contexts:
        if syntaxes:
            ae.add_requested_context(abstract, list(syntaxes))
        else:
            ae.add_requested_context(abstract)
    association = ae.associate(
        peer.host,
        peer.port,
        ae_title=peer.called,
        ext_neg=list(roles),
        evt_handlers=list(handlers),
        tls_args=None if peer.tls is None else (peer.tls, peer.host),
    )
    if not association.is_established:
        raise PeerUnavailable
    try:
        yield association
    finally:
        association.release()


def _instances(paths: Iterable[Path]) -> Generator[tuple[Path, str, str, str]]:
    """Yield file, SOP class, transfer syntax and instance of every DICOM file."""
    found = False
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if not file.is_file():
                continue
            try:
                meta = pydicom.dcmread(file, stop_before_pixels=True).file_meta
            except (InvalidDicomError, EOFError):
                continue
            found = True
            yield (
                file,
                str(meta.MediaStorageSOPClassUID),
                str(meta.TransferSyntaxUID),
                str(meta.MediaStorageSOPInstanceUID),
            )
    if not found:
        raise NoInstances


def _parts(
    instances: list[tuple[Path, str, str, str]],
) -> Generator[list[tuple[Path, str, str, str]]]:
    """Split so that each part needs no more presentation contexts than one association has."""
    part: list[tuple[Path, str, str, str]] = []
    kinds: set[tuple[str, str]] = set()
    for one in instances:
        if one[1:3] not in kinds and len(kinds) == _MOST_CONTEXTS:
            yield part
            part, kinds = [], set()
        kinds.add((one[1], one[2]))
        part.append(one)
    if part:
        yield part


def _end_of(answers: Iterable[tuple[Dataset, Dataset | None]]) -> Moved:
    done = Moved(0xC000)
    for answer, _ in answers:
        done.status = status_of(answer)
        done.completed = int(answer.get("NumberOfCompletedSuboperations", done.completed) or 0)
        done.failed = int(answer.get("NumberOfFailedSuboperations", done.failed) or 0)
        done.warning = int(answer.get("NumberOfWarningSuboperations", done.warning) or 0)
    return done


def _reference(sop_class: str, sop_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_uid
    return item


def status_of(answer: Dataset) -> int:
    """Return the status of a response; none came: the association was lost."""
    if "Status" not in answer:
        raise PeerUnavailable("the other node went away, or did not answer in time")
    return int(answer.Status)
