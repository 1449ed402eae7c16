"""Why a submission or a document request was refused (the conditions of ITI TF-3 4.2.4).

Raised by `commands.py` and `metadata.py` here and by the workflows that call them; each
protocol's `faults.py` gives them their wire codes.
"""

from __future__ import annotations

from typing import ClassVar

from kernel.refusals import Conflict, Invalid, NotFound


class MetadataInvalid(Invalid):
    """An attribute of the metadata is missing or breaks its rule (ITI TF-3 4.2.3)."""

    code: ClassVar[str] = "metadata_invalid"


class CodeUnknown(MetadataInvalid):
    """A code is not in the code set of the affinity domain."""

    code: ClassVar[str] = "code_unknown"


class PatientUnknown(NotFound):
    """The patient id was never fed to this registry."""

    code: ClassVar[str] = "patient_unknown"


class PatientIdMismatch(Invalid):
    """Objects that must belong to one patient name different ones."""

    code: ClassVar[str] = "patient_id_mismatch"


class UniqueIdTwice(Invalid):
    """A uniqueId occurs twice within one submission."""

    code: ClassVar[str] = "unique_id_twice"


class UniqueIdTaken(Conflict):
    """A uniqueId is already registered for another object."""

    code: ClassVar[str] = "unique_id_taken"


class DocumentHashDiffers(Conflict):
    """The document's uniqueId is registered with another hash."""

    code: ClassVar[str] = "document_hash_differs"


class DocumentSizeDiffers(Conflict):
    """The document's uniqueId is registered with another size."""

    code: ClassVar[str] = "document_size_differs"


class EntryUuidTaken(Conflict):
    """An entryUUID of the submission is already in the registry."""

    code: ClassVar[str] = "entry_uuid_taken"


class ReferenceUnresolved(NotFound):
    """An association names an object that is neither in the submission nor in the registry."""

    code: ClassVar[str] = "reference_unresolved"


class TargetDeprecated(Conflict):
    """An association points at a document that is deprecated."""

    code: ClassVar[str] = "target_deprecated"


class StillReferenced(Conflict):
    """An association that stays points at an object that is to be removed."""

    code: ClassVar[str] = "still_referenced"


class LeftUnreferenced(Conflict):
    """The removal would leave an object without any association."""

    code: ClassVar[str] = "left_unreferenced"


class UpdateRefused(Conflict):
    """The metadata update does not fit what the registry holds (ITI TF-2 3.57)."""

    code: ClassVar[str] = "update_refused"


class UpdateNotUnderstood(Invalid):
    """The submission holds no operation, or one too many, that updates metadata."""

    code: ClassVar[str] = "update_not_understood"


class VersionMismatch(Conflict):
    """PreviousVersion is not the version that is current in the registry."""

    code: ClassVar[str] = "version_mismatch"


class PatientNotReconciled(Invalid):
    """An update would link objects of two patients, or change the patient where it may not."""

    code: ClassVar[str] = "patient_not_reconciled"


class ObjectKindRefused(Invalid):
    """A restricted update is asked for an object that is no DocumentEntry (ITI TF-2 3.92)."""

    code: ClassVar[str] = "object_kind_refused"


class IdentifierChanged(Invalid):
    """A restricted update would change an identifier."""

    code: ClassVar[str] = "identifier_changed"


class AttributeFixed(Invalid):
    """A restricted update would change an attribute that it may not."""

    code: ClassVar[str] = "attribute_fixed"


class NotAnUpdate(Invalid):
    """A restricted update holds the first version of an object: it has no logicalID of another."""

    code: ClassVar[str] = "not_an_update"


class AnnotationInvalid(Invalid):
    """The HasMember of a restricted update lacks its slots, or asks what is not allowed."""

    code: ClassVar[str] = "annotation_invalid"
