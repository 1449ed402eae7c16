"""Why a message is refused before anybody acts on it: the words of HL7 table 0357.

Leaves of `kernel.refusals`; each carries the error code and the place in the message.
Raised by `decode.py` and the transaction modules; `faults.py` turns them into acknowledgments.
"""

from __future__ import annotations

from typing import ClassVar

from kernel.refusals import Invalid


class MessageRefused(Invalid):
    """The message cannot be accepted."""

    code = "hl7_message_refused"
    acknowledgment: ClassVar[str] = "AE"
    error: ClassVar[str] = "207"

    def __init__(self, message: str = "", *, at: str = "", **details: object) -> None:
        super().__init__(message, **details)
        self.at = at
        """Place as ERR-2 tells it: segment^sequence^field^repetition^component."""


class UnreadableMessage(MessageRefused):
    """The message has no readable MSH segment."""

    code = "hl7_unreadable"
    acknowledgment = "AR"
    error = "100"


class CharsetRefused(MessageRefused):
    """The character set is not one we read, or the octets are not of it."""

    code = "hl7_charset"
    error = "102"


class UnsupportedMessageType(MessageRefused):
    """The message type is not supported here."""

    code = "hl7_message_type"
    acknowledgment = "AR"
    error = "200"


class UnsupportedEvent(MessageRefused):
    """The event is not supported here."""

    code = "hl7_event"
    acknowledgment = "AR"
    error = "201"


class UnsupportedProcessingId(MessageRefused):
    """The processing id is not supported here."""

    code = "hl7_processing_id"
    acknowledgment = "AR"
    error = "202"


class UnsupportedVersion(MessageRefused):
    """The HL7 version is not supported here."""

    code = "hl7_version"
    acknowledgment = "AR"
    error = "203"


class WrongReceiver(MessageRefused):
    """The message is addressed to another application."""

    code = "hl7_receiver"
    acknowledgment = "AR"
    error = "204"


class RequiredFieldMissing(MessageRefused):
    """A required segment or field is missing."""

    code = "hl7_field_missing"
    error = "101"


class WrongFieldValue(MessageRefused):
    """A field does not have the form of its data type."""

    code = "hl7_field_value"
    error = "102"


class WrongTableValue(MessageRefused):
    """A field's value is not of its table."""

    code = "hl7_table_value"
    error = "103"


class UnknownKeyIdentifier(MessageRefused):
    """An identifier or a domain that the query names is not known."""

    code = "hl7_key_unknown"
    error = "204"


class UnknownQueryParameter(MessageRefused):
    """The query asks for something that cannot be asked for here."""

    code = "hl7_query_parameter"
    error = "102"


class UnsupportedMerge(UnsupportedEvent):
    """Patients are merged by A40 here; A18, A34, A35, A36, A39, A41 and A42 do something else."""

    code = "hl7_merge_event"


class ForeignAuthority(MessageRefused):
    """No identifier is of the assigning authority of this affinity domain."""

    code = "hl7_authority"
    error = "204"


class MessageTooLarge(MessageRefused):
    """The message is larger than allowed."""

    code = "hl7_too_large"
    acknowledgment = "AR"
