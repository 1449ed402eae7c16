"""Why an HL7 v3 message was refused, and where in it.

The error conditions of ITI TF-2 3.44.4, 3.45.4.2.3 and 3.47.4.2.3. Raised by the modules of this
room; `faults.py` gives them their codes.
"""

from __future__ import annotations

from typing import ClassVar

from kernel.refusals import Invalid, NotFound


class RequiredElementMissing(Invalid):
    """An element the transaction needs is missing, or says nothing."""

    code: ClassVar[str] = "v3_required_element_missing"


class ElementMalformed(Invalid):
    """An element does not have the form of its data type."""

    code: ClassVar[str] = "v3_element_malformed"


class DomainUnknown(NotFound):
    """A patient identifier, or a domain that is asked for, is of none of our domains."""

    code: ClassVar[str] = "v3_domain_unknown"


class KeyUnknown(NotFound):
    """The identifier is of one of our domains and denotes nobody."""

    code: ClassVar[str] = "v3_key_unknown"


class ContinuationUnknown(NotFound):
    """The query that should go on was never asked, is answered whole, or was cancelled."""

    code: ClassVar[str] = "v3_continuation_unknown"
