"""Coded values: code, scheme and the display a person reads.

Implements the code triple of ITI TF-3 4.2.3.1.2 (Classification) and PS3.16 coded entries.
Called by every room that carries codes; equality is on code and scheme only.
"""

from __future__ import annotations

import msgspec


class Code(msgspec.Struct, frozen=True, array_like=True):
    """A coded value; `scheme` is an OID or a scheme name, `display` may be empty."""

    value: str
    scheme: str
    display: str = ""

    def same_as(self, other: Code) -> bool:
        """Tell whether both mean the same concept (display is not compared)."""
        return self.value == other.value and self.scheme == other.scheme

    def __str__(self) -> str:
        """Return the CE form `code^^scheme` used by stored queries (ITI TF-2 3.18.4.1.2.3.5)."""
        return f"{self.value}^^{self.scheme}"
