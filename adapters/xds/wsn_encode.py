"""Values -> messages of WS-BaseNotification: answers to subscribers, notifications.

Implements ITI TF-2 3.52.4.2.2 and 3.53.4.1.2. Pure; called by ITI-52 and ITI-53, and by tests
that publish.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from adapters.soap.names import WSA, escaped
from adapters.xds import encode_objects, names, wsn_names
from registry.documents.values import DocumentEntry, Folder, SubmissionSet
from registry.subscriptions.values import DocumentLike, Topic

_SPACES: Final = f'xmlns:wsnt="{wsn_names.WSNT}" xmlns:wsa="{WSA}"'


def subscribe_response(address: str, now: datetime, terminates: datetime) -> str:
    """Return a wsnt:SubscribeResponse."""
    return (
        f"<wsnt:SubscribeResponse {_SPACES}>"
        f"{_reference('SubscriptionReference', address)}"
        f"<wsnt:CurrentTime>{moment(now)}</wsnt:CurrentTime>"
        f"<wsnt:TerminationTime>{moment(terminates)}</wsnt:TerminationTime>"
        "</wsnt:SubscribeResponse>"
    )


def renew_response(now: datetime, terminates: datetime) -> str:
    """Return a wsnt:RenewResponse."""
    return (
        f"<wsnt:RenewResponse {_SPACES}>"
        f"<wsnt:TerminationTime>{moment(terminates)}</wsnt:TerminationTime>"
        f"<wsnt:CurrentTime>{moment(now)}</wsnt:CurrentTime></wsnt:RenewResponse>"
    )


def unsubscribe_response() -> str:
    """Return a wsnt:UnsubscribeResponse."""
    return f"<wsnt:UnsubscribeResponse {_SPACES}/>"


def notification(topic: Topic, thing: DocumentLike, *, subscription: str, producer: str) -> str:
    """Return the wsnt:Notify of one object to a subscriber; addresses as he knows them."""
    minimal = topic is Topic.MINIMAL_DOCUMENT_ENTRY
    told = encode_objects.object_ref(thing.entry_uuid) if minimal else _object(thing)
    return _notify(
        f"{_reference('SubscriptionReference', subscription)}"
        f'<wsnt:Topic Dialect="{wsn_names.SIMPLE}">ihe:{topic}</wsnt:Topic>'
        f"{_reference('ProducerReference', producer)}",
        (told,),
    )


def publication(producer: str, things: Iterable[DocumentLike]) -> str:
    """Return the wsnt:Notify of a Document Metadata Publisher (ITI-54)."""
    return _notify(_reference("ProducerReference", producer), map(_object, things))


def moment(when: datetime) -> str:
    """Return an xsd:dateTime in UTC."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _notify(head: str, objects: Iterable[str]) -> str:
    return (
        f"<wsnt:Notify {_SPACES}><wsnt:NotificationMessage>{head}<wsnt:Message>"
        f'<lcm:SubmitObjectsRequest xmlns:lcm="{names.LCM}" xmlns:rim="{names.RIM}">'
        f"<rim:RegistryObjectList>{''.join(objects)}</rim:RegistryObjectList>"
        "</lcm:SubmitObjectsRequest></wsnt:Message></wsnt:NotificationMessage></wsnt:Notify>"
    )


def _reference(name: str, address: str) -> str:
    return f"<wsnt:{name}><wsa:Address>{escaped(address)}</wsa:Address></wsnt:{name}>"


def _object(thing: DocumentLike) -> str:
    match thing:
        case DocumentEntry():
            return encode_objects.document_entry(thing)
        case SubmissionSet():
            return encode_objects.submission_set(thing)
        case Folder():
            return encode_objects.folder(thing)
