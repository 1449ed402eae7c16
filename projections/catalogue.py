"""The read side's table of contents: every view with what it is for.

Design C (projections/catalogue.py). Called by `server.wiring`; no view imports it.
"""

from __future__ import annotations

from typing import Final

VIEWS: Final[dict[str, str]] = {
    "audit_trail": "who saw what, when, from where (access ledger)",
    "availability": "notifications of availability: which are owed, and what others told us",
    "commitments": "storage commitments asked for, and which are still owed a report",
    "delivery_queue": "subscriptions to documents and their notifications",
    "document_index": "DocumentEntries, SubmissionSets, Folders, Associations for stored queries",
    "patient_index": "patients and their identifiers",
    "permissions": "accounts, tokens, AE titles and certificates in force",
    "procedure_steps": "what modalities perform, performed and gave up, with what they list",
    "storage_map": "where every instance and frame lies",
    "study_index": "studies, series and instances for lists, C-FIND and QIDO-RS",
    "workitems": "unified procedure steps, who watches them, and the reports still owed",
    "worklist": "exam orders scheduled or under way, for the modality worklist",
}
"""View name -> what it answers."""
