"""Why a performed procedure step is not created, not changed or not found (PS3.4 F.7.2).

Raised by `commands.py` and `attributes.py`; mapped by `adapters/dimse/faults.py`.
"""

from __future__ import annotations

from typing import ClassVar

from kernel.refusals import Conflict, Invalid, NotFound


class ProcedureStepExists(Conflict):
    """A performed procedure step with this SOP Instance UID exists."""

    code: ClassVar[str] = "procedure_step_exists"


class ProcedureStepNotKnown(NotFound):
    """No performed procedure step has this SOP Instance UID."""

    code: ClassVar[str] = "procedure_step_not_known"


class ProcedureStepEnded(Conflict):
    """The performed procedure step has ended and may no longer be updated."""

    code: ClassVar[str] = "procedure_step_ended"


class AttributeMissing(Invalid):
    """A required attribute is not there; `tag` names it."""

    code: ClassVar[str] = "attribute_missing"


class AttributeEmpty(Invalid):
    """A required attribute has no value; `tag` names it."""

    code: ClassVar[str] = "attribute_empty"


class AttributeInvalid(Invalid):
    """An attribute has a value it may not have; `tag` names it."""

    code: ClassVar[str] = "attribute_invalid"
