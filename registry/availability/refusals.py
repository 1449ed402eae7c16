"""Why a notification of availability is not taken (PS3.4 R.3.2).

Raised by `commands.py` and `adapters/dimse`; mapped by each protocol's `faults.py`.
"""

from __future__ import annotations

from typing import ClassVar

from kernel.refusals import Conflict, Invalid


class NoticeExists(Conflict):
    """A notification with this SOP Instance UID was taken before."""

    code: ClassVar[str] = "notice_exists"


class NoticeIncomplete(Invalid):
    """The notification does not name a study, a series, an instance or its availability."""

    code: ClassVar[str] = "notice_incomplete"
