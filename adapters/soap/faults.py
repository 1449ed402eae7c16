"""SOAP faults: why an envelope was not even handed to its transaction.

Implements SOAP 1.2 Part 1, 5.4 and the faults of WS-Addressing 1.0 SOAP Binding, 6.
Raised while a message is read; rendered by the endpoint. Business errors are no faults.
"""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from adapters.soap.names import SOAP, WSA, escaped
from kernel.refusals import Forbidden, Refusal, Unauthenticated, Unavailable

SENDER: Final = "Sender"
RECEIVER: Final = "Receiver"
MUST_UNDERSTAND: Final = "MustUnderstand"
VERSION_MISMATCH: Final = "VersionMismatch"

ADDRESSING_FAULT_ACTION: Final = f"{WSA}/fault"
SOAP_FAULT_ACTION: Final = f"{WSA}/soap/fault"


class SoapFault(Exception):  # noqa: N818 - the standard's word is fault
    """A message that cannot be processed; `reason` is for the sender's developers."""

    def __init__(
        self,
        reason: str,
        *,
        code: str = SENDER,
        subcode: str = "",
        status: int = 0,
        challenge: bool = False,
        detail: str = "",
        action: str = "",
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.subcode = subcode
        """Local name of a WS-Addressing fault, or empty."""
        self.status = status or (500 if code == RECEIVER else 400)
        self.challenge = challenge
        """Whether the caller should be told how to authenticate (RFC 9110, 11.6.1)."""
        self.detail = detail
        """Ready-made XML of the protocol's own fault, or empty."""
        self.action = action
        """wsa:Action where the protocol has one for its faults."""


def of(problem: SoapFault | Refusal) -> SoapFault:
    """Return the fault for a refusal that no business answer tells: the caller, or our state."""
    match problem:
        case SoapFault():
            return problem
        case Unauthenticated():
            return SoapFault(
                "the caller is not known: offer a bearer token or a client certificate",
                status=401,
                challenge=True,
            )
        case Forbidden():
            return SoapFault("the caller may not do this", status=403)
        case Unavailable():
            return SoapFault(str(problem), code=RECEIVER, status=503)
        case _:
            return SoapFault(problem.message)


def internal(correlation: str) -> SoapFault:
    """Return the fault for our own mistake; the log has more under the same id."""
    return SoapFault(f"internal error, correlation {correlation}", code=RECEIVER)


def render(fault: SoapFault, relates_to: str = "", *, to: str = "") -> bytes:
    """Return the envelope of a fault; `to` as in `envelope.write`."""
    addressed = f"<a:To>{escaped(to)}</a:To>" if to else ""
    subcode = (
        f"<s:Subcode><s:Value>a:{fault.subcode}</s:Value></s:Subcode>" if fault.subcode else ""
    )
    related = f"<a:RelatesTo>{escaped(relates_to)}</a:RelatesTo>" if relates_to else ""
    action = fault.action or (ADDRESSING_FAULT_ACTION if fault.subcode else SOAP_FAULT_ACTION)
    detail = f"<s:Detail>{fault.detail}</s:Detail>" if fault.detail else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope xmlns:s="{SOAP}" xmlns:a="{WSA}">'
        f'<s:Header><a:Action s:mustUnderstand="1">{action}</a:Action>'
        f"<a:MessageID>urn:uuid:{uuid4()}</a:MessageID>{related}{addressed}</s:Header>"
        "<s:Body><s:Fault>"
        f"<s:Code><s:Value>s:{fault.code}</s:Value>{subcode}</s:Code>"
        f'<s:Reason><s:Text xml:lang="en">{escaped(fault.reason)}</s:Text></s:Reason>'
        f"{detail}</s:Fault></s:Body></s:Envelope>"
    ).encode()
