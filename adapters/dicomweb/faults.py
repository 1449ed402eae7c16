"""From a refusal to HTTP's and STOW-RS' word for it.

Implements PS3.18 8.5 (status codes) and tables 10.5.3-1, 10.5.1-1 (Failure Reason, from PS3.4
B.2.3 and PS3.7 C). Called by `endpoint.py` and `stow_rs.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from adapters.http import problem
from kernel.refusals import Conflict, Forbidden, Invalid, NotFound, Refusal, TooMuch, Unavailable
from registry.studies.refusals import InstanceDiffers, InstanceMismatch
from registry.workitems.refusals import FilterNamesPerson, SubscriberNotKnown
from repository.instances.refusals import NoPixelData, NotRenderable

STATUS: Final[Mapping[type[Refusal], int]] = {
    **problem.STATUS,
    NotRenderable: 406,
    NoPixelData: 406,
    SubscriberNotKnown: 403,
    FilterNamesPerson: 403,
}
"""PS3.18 8.7.4: what cannot be given in an accepted form is 406; 11.10.3: a subscription that is
not taken is 403."""

_REASONS: Final[tuple[tuple[type[Refusal], int], ...]] = (
    (InstanceDiffers, 0x0111),
    (InstanceMismatch, 0xA900),
    (Invalid, 0xC000),
    (NotFound, 0xC000),
    (Conflict, 0x0110),
    (Forbidden, 0x0124),
    (TooMuch, 0xA700),
    (Unavailable, 0xA700),
    (Refusal, 0x0110),
)


def status_of(refusal: Refusal) -> int:
    """Return the HTTP status of a refusal."""
    return problem.status_of(refusal, STATUS)


def failure_reason(refusal: Refusal) -> int:
    """Return the Failure Reason (0008,1197) of an instance that was not stored."""
    return next(word for kind, word in _REASONS if isinstance(refusal, kind))
