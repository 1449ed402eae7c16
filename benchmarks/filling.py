"""Fill an installation with synthetic DocumentEntries: patients of fifty documents each.

Goes through the registry's own command (`registry.documents.commands.register`), not through
the doors, so that a million takes minutes. Run as a process by `benchmarks.registry` while the
server is down: `python -m benchmarks.filling DATA COUNT`.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

from kernel.codes import Code
from kernel.identifiers import PatientId, new_uid
from kernel.ledger.ports import Append
from kernel.times import now
from registry.documents import commands
from registry.documents.values import (
    Association,
    AssociationType,
    Author,
    DocumentEntry,
    Submission,
    SubmissionSet,
)
from registry.patients.commands import NOT_KNOWN, Identity, receive_feed
from registry.patients.values import Told
from server.settings import load
from server.wiring import Installation

PER_PATIENT = 50
PER_SUBMISSION = 25
_LOINC = "2.16.840.1.113883.6.1"
_SNOMED = "2.16.840.1.113883.6.96"
_TYPES = ("18748-4", "11502-2", "34133-9", "18842-5")
_TITLES = ("影像检查报告", "检验报告", "门诊病历", "出院小结")


def patient_id(number: int, authority: str) -> str:
    """Return the CX of one of the synthetic patients."""
    return f"BULK{number:07d}^^^&{authority}&ISO"


def fill(here: Installation, count: int) -> None:
    """Append `count` documents; tells its progress on standard output."""
    authority = here.identity.assigning_authority
    began, done = time.monotonic(), 0
    with ThreadPoolExecutor(2) as threads:
        batches = _batches(here, count, authority)
        pending = [threads.submit(here.facts.append, batch) for batch in _some(batches, 8)]
        while pending:
            pending.pop(0).result()
            done += PER_SUBMISSION
            pending += [threads.submit(here.facts.append, batch) for batch in _some(batches, 1)]
            if done % 100_000 == 0:
                print(f"{done} documents in {time.monotonic() - began:.0f} s", flush=True)


def _some(batches: Iterator[Append], number: int) -> list[Append]:
    return [batch for _, batch in zip(range(number), batches, strict=False)]


def _batches(here: Installation, count: int, authority: str) -> Iterator[Append]:
    chance = random.Random(1)
    for number in range(count // PER_PATIENT):
        patient = PatientId.parse(patient_id(number, authority))
        key = here.keys.patient_keys.key(patient)
        told = Told(name=f"Bulk^{number}", birth_date="19700101", sex="F")
        new = Identity(patient, key, NOT_KNOWN, 0)
        fed = receive_feed([new], {}, told, affinity=authority)
        assert fed is not None
        yield fed
        for _ in range(PER_PATIENT // PER_SUBMISSION):
            yield _registration(here, str(patient), key, chance)


def _registration(here: Installation, patient: str, key: UUID, chance: random.Random) -> Append:
    entries = tuple(_entry(here, patient, chance) for _ in range(PER_SUBMISSION))
    whole = SubmissionSet(
        entry_uuid=uuid4(),
        unique_id=new_uid(),
        source_id="2.25.7777",
        patient_id=patient,
        submission_time="20260102030406",
        content_type_code=Code("18748-4", _LOINC, "Diagnostic imaging study"),
    )
    members = tuple(
        Association(
            entry_uuid=uuid4(),
            type=AssociationType.HAS_MEMBER,
            source=whole.entry_uuid,
            target=entry.entry_uuid,
            submission_set_status="Original",
        )
        for entry in entries
    )
    asked = commands.Registration(
        Submission(submission_set=whole, entries=entries, associations=members), key, now()
    )
    return commands.register(asked, commands.Known(patient=True), here.rules)


def _entry(here: Installation, patient: str, chance: random.Random) -> DocumentEntry:
    kind = chance.randrange(len(_TYPES))
    moment = f"20{chance.randrange(15, 27):02d}{chance.randrange(1, 13):02d}"
    return DocumentEntry(
        entry_uuid=uuid4(),
        unique_id=new_uid(),
        patient_id=patient,
        mime_type="application/pdf",
        repository_unique_id=here.identity.repository_oid,
        hash=hashlib.sha1(chance.randbytes(8)).hexdigest(),
        size=chance.randrange(1000, 5_000_000),
        class_code=Code("REPORTS", "1.3.6.1.4.1.19376.1.2.6.1", "Reports"),
        type_code=Code("18748-4", _LOINC, "Diagnostic imaging study"),
        format_code=Code("urn:ihe:iti:xds-sd:pdf:2008", "1.3.6.1.4.1.19376.1.2.3", "PDF"),
        healthcare_facility_type_code=Code("22232009", _SNOMED, "Hospital"),
        practice_setting_code=Code("394914008", _SNOMED, "Radiology"),
        confidentiality_codes=(Code("N", "2.16.840.1.113883.5.25", "normal"),),
        authors=(Author(person="^Example^Ada^^^Dr.", institutions=("Example Hospital",)),),
        creation_time=f"{moment}{chance.randrange(1, 29):02d}{chance.randrange(24):02d}3000",
        language_code="zh-CN",
        title=_TITLES[kind],
        source_patient_id=patient,
        reference_ids=(f"A{chance.randrange(10**9)}^^^&2.25.8&ISO^urn:ihe:iti:xds:2013:accession",),
    )


def main() -> None:
    """Fill the installation in the folder given."""
    folder, count = sys.argv[1], int(sys.argv[2])
    with Installation(load(None, os.environ, {"data": folder}), node="bench") as here:
        here.create()
        fill(here, count)


if __name__ == "__main__":
    main()
