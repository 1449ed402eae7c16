"""Why a commitment is not taken up (PS3.4 J.3.2).

Raised by `commands.py` and `workflows.commit_to_storage`; mapped by `adapters/dimse/faults.py`.
"""

from __future__ import annotations

from typing import ClassVar

from kernel.refusals import Conflict, Invalid


class CommitmentTransactionTaken(Conflict):
    """The Transaction UID was used by the same AE for other instances."""

    code: ClassVar[str] = "commitment_transaction_taken"


class CommitmentEmpty(Invalid):
    """The request for commitment names no transaction, or no instance."""

    code: ClassVar[str] = "commitment_empty"
