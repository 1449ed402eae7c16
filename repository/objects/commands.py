"""Take octets into the repository, checked against what was promised, and let go of them.

Implements ITI TF-2 3.41.4.1.3 and 3.86.4.1.3 (expected actions of the Document Repository).
Called by `workflows/provide_and_register.py` and others that store or remove documents.
"""

from __future__ import annotations

from uuid import UUID

from kernel.identifiers import stream_id
from kernel.ledger.ports import StreamAppend
from repository.objects.events import DocumentRemoved, ObjectErased, ObjectStored
from repository.objects.refusals import ContentHashWrong, ContentSizeWrong
from repository.tiers.ports import Incoming


def check_content(
    content: Incoming, *, unique_id: str, promised_hash: str, promised_size: int | None
) -> None:
    """Refuse sealed octets whose SHA-1 or count is not what the metadata promised."""
    if promised_size is not None and promised_size != content.size:
        raise ContentSizeWrong(
            f"DocumentEntry.size {promised_size} is not the size of the document {unique_id}, "
            f"which has {content.size} octets",
            attribute="size",
            unique_id=unique_id,
        )
    # Hex digits of either case are the same hash (ITI TF-3 4.2.3.2.10).
    if promised_hash and promised_hash.lower() != content.sha1:
        raise ContentHashWrong(
            f"DocumentEntry.hash {promised_hash} is not the SHA-1 of the document {unique_id}",
            attribute="hash",
            unique_id=unique_id,
        )


def store(content: Incoming, *, tier: str) -> StreamAppend:
    """Return the fact that kept octets lie in a tier."""
    fact = ObjectStored(sha256=content.sha256, sha1=content.sha1, size=content.size, tier=tier)
    return StreamAppend(stream_id("object", content.sha256), (fact,))


def remove(
    sha256: str, *, unique_id: str, repository_unique_id: str, patient_key: UUID
) -> StreamAppend:
    """Return the fact that a document is nobody's to retrieve any more."""
    fact = DocumentRemoved(
        repository_unique_id=repository_unique_id,
        unique_id=unique_id,
        sha256=sha256,
        patient_key=patient_key,
    )
    return StreamAppend(stream_id("document", repository_unique_id, unique_id), (fact,))


def erase(sha256: str, *, tier: str) -> StreamAppend:
    """Return the fact that octets which nothing used are gone from a tier."""
    fact = ObjectErased(sha256=sha256, tier=tier)
    return StreamAppend(stream_id("object", sha256), (fact,))
