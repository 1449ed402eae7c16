"""One transaction in hand and its answer: what every transaction module takes and gives.

The shape of design B (one module a transaction) for ITI TF-2 3.18, 3.41, 3.42, 3.43.
Made by `endpoint.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from adapters.soap.exchange import Exchange, Part
from registry.access.values import Subject


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated request: who asks, the one element of the Body, the parts beside it."""

    subject: Subject
    body: etree._Element
    exchange: Exchange


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of the response, and the documents that travel beside it."""

    body: str
    parts: tuple[Part, ...] = ()
    mtom: bool = False


Transaction = Callable[[Call], Answer]
