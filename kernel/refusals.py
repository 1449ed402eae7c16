"""Why we said no: one tree (design F), mapped to wire codes by each protocol's `faults.py`.

Refusal
├── Invalid        the request is malformed or breaks a rule of the standard it came by
├── NotFound       the thing named is not known (or must not be known to the caller)
├── Conflict       the request was right but the state moved or is already taken
├── Forbidden      the caller is known but may not do this
│   └── Unauthenticated  the caller is not known
├── TooMuch        a size, depth or count limit was passed
└── Unavailable    we cannot do it now; `retry_after_seconds` says when to ask again

A leaf lives in the `refusals.py` of the room that raises it and has a stable `code`.
Messages name ids, attributes and values of the *request*; never personal data we hold.
"""

from __future__ import annotations

from typing import ClassVar


class Refusal(Exception):  # noqa: N818 - the field's word here is refusal, not error
    """Base of everything we refuse; `code` is stable and part of the outside contract."""

    code: ClassVar[str] = "refusal"

    def __init__(self, message: str = "", **details: object) -> None:
        self.message = message or (type(self).__doc__ or "").split("\n")[0].strip()
        self.details = details
        super().__init__(self.message)

    def __str__(self) -> str:
        """Return the message; details are for `faults.py`, not for logs."""
        return self.message


class Invalid(Refusal):
    """The request is malformed or breaks a rule."""

    code = "invalid"


class NotFound(Refusal):
    """The thing named is not known."""

    code = "not_found"


class Conflict(Refusal):
    """The state moved under the request, or the identifier is already taken."""

    code = "conflict"


class Forbidden(Refusal):
    """The caller may not do this."""

    code = "forbidden"


class Unauthenticated(Forbidden):
    """The caller is not known."""

    code = "unauthenticated"


class TooMuch(Refusal):
    """A size, depth or count limit was passed."""

    code = "too_much"


class Unavailable(Refusal):
    """We cannot do it now."""

    code = "unavailable"

    def __init__(
        self, message: str = "", *, retry_after_seconds: int = 5, **details: object
    ) -> None:
        super().__init__(message, **details)
        self.retry_after_seconds = retry_after_seconds


def leaves(root: type[Refusal] = Refusal) -> tuple[type[Refusal], ...]:
    """Return `root` and every imported subclass, so that tests can walk the tree."""
    found: list[type[Refusal]] = [root]
    for child in root.__subclasses__():
        found.extend(leaves(child))
    return tuple(dict.fromkeys(found))
