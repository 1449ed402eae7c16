"""What a FHIR interaction is refused for beyond the refusals of the rooms.

HL7 FHIR R4 3.1.0 (http.html) and 3.1.1 (search.html) name the situations. Raised by the
transaction modules; `faults.py` gives each its status and issue type.
"""

from __future__ import annotations

from typing import ClassVar

from kernel.refusals import Invalid, NotFound


class ResourceMalformed(Invalid):
    """The body is not the resource that this interaction takes."""

    code: ClassVar[str] = "fhir_resource_malformed"


class ParameterMissing(Invalid):
    """A search or an operation lacks a parameter that its transaction demands."""

    code: ClassVar[str] = "fhir_parameter_missing"


class ParameterInvalid(Invalid):
    """The value of a parameter does not have the form of its type."""

    code: ClassVar[str] = "fhir_parameter_invalid"


class NotSupported(Invalid):
    """FHIR knows this interaction or modifier, and it is not offered here."""

    code: ClassVar[str] = "fhir_not_supported"


class ResourceUnknown(NotFound):
    """There is no such resource."""

    code: ClassVar[str] = "fhir_resource_unknown"


class DocumentGone(NotFound):
    """The document was deprecated."""

    code: ClassVar[str] = "fhir_document_gone"


class PatientUnresolved(Invalid):
    """The subject of a resource cannot be turned into a patient identifier of the domain."""

    code: ClassVar[str] = "fhir_patient_unresolved"


class DomainUnknown(Invalid):
    """The identifier's assigning authority is not known here."""

    code: ClassVar[str] = "fhir_domain_unknown"


class DomainNotServed(NotFound):
    """Patients of this assigning authority are not known here."""

    code: ClassVar[str] = "fhir_domain_not_served"


class TargetDomainUnknown(Invalid):
    """An assigning authority that identifiers are asked of is not known here."""

    code: ClassVar[str] = "fhir_target_domain_unknown"


class ContentElsewhere(Invalid):
    """The document lies outside of the bundle, and nothing is fetched from strangers."""

    code: ClassVar[str] = "fhir_content_elsewhere"
