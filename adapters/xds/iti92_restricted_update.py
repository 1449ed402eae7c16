"""ITI-92 Restricted Update Document Set: new versions of DocumentEntries, and of little in them.

Implements ITI TF-2 3.92. Called by `endpoint.py` in a worker thread.
"""

from __future__ import annotations

from typing import ClassVar

from adapters.xds.iti57_update_document_set import UpdateDocumentSet
from registry.documents.update_terms import RESTRICTED_UPDATE, Terms


class RestrictedUpdateDocumentSet(UpdateDocumentSet):
    """Updates what a restricted update may: the message is that of ITI-57, the terms are not."""

    transaction: ClassVar[str] = "ITI-92"
    terms: ClassVar[Terms] = RESTRICTED_UPDATE
