"""Why the patients room says no.

Leaves of `kernel.refusals` (ITI TF-2 3.8.4.1.3). Raised by `commands.py`; each protocol's
`faults.py` maps them.
"""

from __future__ import annotations

from kernel.refusals import Conflict, Invalid, NotFound


class BadDemographics(Invalid):
    """A name, birth date or sex does not have the form it must have."""

    code = "bad_demographics"


class PatientErased(Conflict):
    """The patient's data were destroyed; nothing more can be recorded about the person."""

    code = "patient_erased"


class IdentifierUnknown(NotFound):
    """The identifier is not one that was made known here."""

    code = "identifier_unknown"


class IdentifierSubsumed(NotFound):
    """The identifier was merged into another one and is used no more."""

    code = "identifier_subsumed"


class MergeRefused(Invalid):
    """The two identifiers cannot be merged: they are the same, or of different domains."""

    code = "merge_refused"


class LinkRefused(Conflict):
    """Two identifiers of the affinity domain cannot denote one person; they must be merged."""

    code = "link_refused"
