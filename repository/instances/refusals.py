"""Why an instance cannot be read: the refusals of DICOM reading and rendering.

Raised by repository.instances; every protocol's `faults.py` maps them by their branch.
PS3.10 7 (file format), PS3.5 7 (data set encoding).
"""

from __future__ import annotations

from typing import ClassVar

from kernel.refusals import Invalid, NotFound, TooMuch


class NotPart10(Invalid):
    """The octets are not a DICOM Part 10 file."""

    code: ClassVar[str] = "not_part10"


class TruncatedInstance(Invalid):
    """The data set ends in the middle of an element."""

    code: ClassVar[str] = "truncated_instance"


class MalformedInstance(Invalid):
    """The data set breaks the encoding rules of PS3.5."""

    code: ClassVar[str] = "malformed_instance"


class WrongTransferSyntax(Invalid):
    """The data set is not in the transfer syntax it is declared in."""

    code: ClassVar[str] = "wrong_transfer_syntax"


class MissingAttribute(Invalid):
    """An attribute that identifies the instance is absent or empty."""

    code: ClassVar[str] = "missing_attribute"


class NestedTooDeep(TooMuch):
    """Sequences are nested deeper, or hold more items, than we read."""

    code: ClassVar[str] = "nested_too_deep"


class HeaderTooLarge(TooMuch):
    """The header is larger than we read into memory."""

    code: ClassVar[str] = "header_too_large"


class NoSuchFrame(NotFound):
    """The instance has no frame of that number."""

    code: ClassVar[str] = "no_such_frame"


class NoPixelData(NotFound):
    """The instance has nothing that can be shown as an image."""

    code: ClassVar[str] = "no_pixel_data"


class NotRenderable(Invalid):
    """The pixel data cannot be decoded or rendered."""

    code: ClassVar[str] = "not_renderable"


class NotAManifest(Invalid):
    """The instance is not a Key Object Selection document that we can read."""

    code: ClassVar[str] = "not_a_manifest"


class ManifestMismatch(Invalid):
    """An imaging manifest and the metadata it is registered with contradict each other."""

    code: ClassVar[str] = "manifest_mismatch"
