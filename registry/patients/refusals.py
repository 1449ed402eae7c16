"""Why the patients room says no.

Leaves of `kernel.refusals` (ITI TF-2 3.8.4.1.3). Raised by `commands.py`; each protocol's
`faults.py` maps them.
"""

from __future__ import annotations

from kernel.refusals import Conflict, Invalid


class BadDemographics(Invalid):
    """A name, birth date or sex does not have the form it must have."""

    code = "bad_demographics"


class PatientErased(Conflict):
    """The patient's data were destroyed; nothing more can be recorded about the person."""

    code = "patient_erased"
