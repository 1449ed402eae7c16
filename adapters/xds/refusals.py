"""Why a stored query was refused (ITI TF-2 3.18.4.1.3, TF-3 table 4.2.4.1-2).

Raised while a query is decoded or answered; `faults.py` gives the wire codes.
"""

from __future__ import annotations

from typing import ClassVar

from kernel.refusals import Invalid, NotFound, TooMuch


class QueryUnknown(NotFound):
    """No stored query has this id here."""

    code: ClassVar[str] = "query_unknown"


class QueryParameterMissing(Invalid):
    """A parameter that the query requires is missing."""

    code: ClassVar[str] = "query_parameter_missing"


class QueryParameterCount(Invalid):
    """A parameter has the wrong number of values, or excludes another one given."""

    code: ClassVar[str] = "query_parameter_count"


class QueryParameterMalformed(Invalid):
    """A parameter's value is not coded as its type demands."""

    code: ClassVar[str] = "query_parameter_malformed"


class RetrieveRequestMalformed(Invalid):
    """A request for documents is not coded as it must be."""

    code: ClassVar[str] = "retrieve_request_malformed"


class ResultNotSinglePatient(Invalid):
    """The objects found belong to several patients; ask for references instead."""

    code: ClassVar[str] = "result_not_single_patient"


class TooManyResults(TooMuch):
    """The query finds more objects than are returned at once."""

    code: ClassVar[str] = "too_many_results"


class ImagingRequestIncomplete(Invalid):
    """A request for instances names no study, series or instance (RAD TF-2 4.69)."""

    code: ClassVar[str] = "imaging_request_incomplete"


class TransferSyntaxNotAvailable(Invalid):
    """An instance cannot be had in any transfer syntax that the request takes."""

    code: ClassVar[str] = "transfer_syntax_not_available"
