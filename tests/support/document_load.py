"""Many document sources and consumers at once, each of whom checks what he was promised.

Sources provide, replace and append by ITI-41; consumers find by ITI-18 and retrieve by ITI-43
(ITI TF-2 3.41, 3.18, 3.43). Called by the walk and the soak of concurrent load.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from tests.support import mllp, xds
from tests.support.running import RunningPianku
from tests.support.soap import SoapClient

_REPLACES: Final = "urn:ihe:iti:2007:AssociationType:RPLC"
_DEPRECATED: Final = xds.APPROVED.replace("Approved", "Deprecated")


@dataclass
class Acknowledged:
    """A document whose Success a source has read."""

    unique_id: str
    patient_id: str
    sha1: str


@dataclass
class Ledgered:
    """What the sources were told, shared by all threads."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    documents: list[Acknowledged] = field(default_factory=list)
    replaced: set[str] = field(default_factory=set)
    """uniqueIds whose replacement was acknowledged."""
    queries: int = 0
    retrievals: int = 0


def run(
    running: RunningPianku, *, pairs: int, patients: int, seconds: float, seed: int
) -> Ledgered:
    """Load `running` with `pairs` sources and as many consumers; raises what one of them found."""
    told = Ledgered()
    fed = [_feed(running, f"LOAD{seed}-{number}") for number in range(patients)]
    stop = time.monotonic() + seconds
    failures: list[BaseException] = []

    def guarded(work: Callable[[SoapClient, random.Random], None], number: int) -> None:
        client, chance = SoapClient(running.http), random.Random(f"{seed}/{number}")
        try:
            while time.monotonic() < stop and not failures:
                work(client, chance)
        except BaseException as problem:  # noqa: BLE001 - raised again in the main thread
            failures.append(problem)
        finally:
            client.close()

    def source(client: SoapClient, chance: random.Random) -> None:
        _provide(client, chance, told, fed)

    def consumer(client: SoapClient, chance: random.Random) -> None:
        _consume(running, client, chance, told, fed)

    threads = [
        threading.Thread(target=guarded, args=(work, number))
        for number, work in enumerate([source, consumer] * pairs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return told


def check_all(running: RunningPianku, told: Ledgered) -> None:
    """Every acknowledged document is there once, with the status it must have."""
    client = SoapClient(running.http)
    by_patient: dict[str, list[Acknowledged]] = {}
    for document in told.documents:
        by_patient.setdefault(document.patient_id, []).append(document)
    for patient_id, documents in by_patient.items():
        entries = _entries(client, patient_id)
        counts = Counter(xds.unique_id(entry) for entry in entries)
        assert counts == Counter(document.unique_id for document in documents)
        deprecated = {
            xds.unique_id(entry) for entry in entries if entry.get("status") == _DEPRECATED
        }
        assert deprecated == told.replaced & set(counts)
    client.close()


def _feed(running: RunningPianku, number: str) -> str:
    authority = running.demo["assigning_authority"]
    assert mllp.accepted(mllp.send(running.mllp_port, mllp.admission(number, authority)))
    return f"{number}^^^&{authority}&ISO"


def _provide(
    client: SoapClient, chance: random.Random, told: Ledgered, patients: list[str]
) -> None:
    """Provide a new document, one time in four in place of one that stands."""
    patient_id = chance.choice(patients)
    content = chance.randbytes(chance.randrange(200, 20_000))
    document = xds.Document(content, patient_id, mime_type="application/octet-stream")
    target = _standing(chance, told, patient_id) if chance.random() < 0.25 else None
    if target is None:
        answer = xds.provide_and_register(client, document)
    else:
        found = xds.stored_query(
            client,
            "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4",
            {"$XDSDocumentEntryUniqueId": f"('{target.unique_id}')"},
        )
        (entry,) = xds.objects(found)
        answer = xds.provide_and_register(
            client, document, relation=(_REPLACES, str(entry.get("id")))
        )
        if xds.errors(answer) == ["XDSRegistryDeprecatedDocumentError"]:
            return  # another source was faster: nothing may be stored of this one
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    with told.lock:
        told.documents.append(
            Acknowledged(document.unique_id, patient_id, hashlib.sha1(content).hexdigest())
        )
        if target is not None:
            told.replaced.add(target.unique_id)


def _standing(chance: random.Random, told: Ledgered, patient_id: str) -> Acknowledged | None:
    with told.lock:
        standing = [
            document
            for document in told.documents
            if document.patient_id == patient_id and document.unique_id not in told.replaced
        ]
    return chance.choice(standing) if standing else None


def _consume(
    running: RunningPianku,
    client: SoapClient,
    chance: random.Random,
    told: Ledgered,
    patients: list[str],
) -> None:
    """Find a patient's documents: all that were acknowledged before must be there, once."""
    patient_id = chance.choice(patients)
    with told.lock:
        before = {d.unique_id: d for d in told.documents if d.patient_id == patient_id}
    found = Counter(xds.unique_id(entry) for entry in _entries(client, patient_id))
    assert set(before) <= set(found), "an acknowledged document is missing"
    assert all(count == 1 for count in found.values()), "a document was registered twice"
    asked = chance.sample(sorted(before), min(3, len(before)))
    if asked:
        got = xds.retrieve(client, running.demo["repository_oid"], asked)
        for unique_id in asked:
            assert hashlib.sha1(got[unique_id]).hexdigest() == before[unique_id].sha1
    with told.lock:
        told.queries += 1
        told.retrievals += len(asked)


def _entries(client: SoapClient, patient_id: str) -> Iterable[xds.Element]:
    return xds.find_documents(
        client, patient_id, {"$XDSDocumentEntryStatus": f"('{xds.APPROVED}','{_DEPRECATED}')"}
    )
