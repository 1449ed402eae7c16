"""Why documents were not taken in, handed out or removed (ITI TF-2 3.41.4.1.3, 3.43, 3.86).

Raised by `commands.py` here and by the workflows that store, retrieve and remove documents.
"""

from __future__ import annotations

from typing import ClassVar

from kernel.refusals import Conflict, Invalid, NotFound


class ContentMissing(Invalid):
    """The metadata describes a document whose content was not sent."""

    code: ClassVar[str] = "content_missing"


class MetadataMissing(Invalid):
    """A content was sent that no metadata describe."""

    code: ClassVar[str] = "metadata_missing"


class ContentHashWrong(Invalid):
    """The hash in the metadata is not that of the octets received."""

    code: ClassVar[str] = "content_hash_wrong"


class ContentSizeWrong(Invalid):
    """The size in the metadata is not that of the octets received."""

    code: ClassVar[str] = "content_size_wrong"


class DocumentUnknown(NotFound):
    """No document with this uniqueId lies in this repository."""

    code: ClassVar[str] = "document_unknown"


class RepositoryUnknown(NotFound):
    """The repositoryUniqueId is not that of this repository."""

    code: ClassVar[str] = "repository_unknown"


class DocumentNotRemovable(Conflict):
    """The document has no octets that could be removed: it is made when it is asked for."""

    code: ClassVar[str] = "document_not_removable"


class DocumentNotGenerated(NotFound):
    """No generator of this repository makes this kind of on-demand document."""

    code: ClassVar[str] = "document_not_generated"
