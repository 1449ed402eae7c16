"""Why a SOAP request of ours came to nothing (ITI TF-2 Appendix V).

Raised by `client.py`; the protocols' `faults.py` give the wire codes. What a peer says may quote
a patient: only the kind of its fault is told.
"""

from __future__ import annotations

from typing import ClassVar

from kernel.refusals import Unavailable


class PeerUnavailable(Unavailable):
    """The other system cannot be reached, or does not answer in time."""

    code: ClassVar[str] = "peer_unavailable"


class PeerAnswerMalformed(PeerUnavailable):
    """The other system's answer is no SOAP message within our limits."""

    code: ClassVar[str] = "peer_answer_malformed"


class PeerFault(PeerUnavailable):
    """The other system answered with a SOAP fault."""

    code: ClassVar[str] = "peer_fault"


class TooManyReplies(Unavailable):
    """Too many asynchronous answers wait to be delivered; ask again later."""

    code: ClassVar[str] = "too_many_replies"
