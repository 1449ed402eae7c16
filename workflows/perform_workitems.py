"""Take what is asked of workitems, whoever asks and over whichever protocol, and tell it back.

PS3.4 CC.2 (Unified Procedure Step, SCP), PS3.18 11 (Worklist Service). Called by `adapters/dimse`
and `adapters/dicomweb`; what was answered with success is durable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kernel.context import Envelope
from kernel.identifiers import PatientKeys, dicom_uid, new_uid
from kernel.ledger.ports import Append, Ledger, StreamMoved
from kernel.times import Clock, now
from registry.workitems import attributes as rules
from registry.workitems import commands
from registry.workitems.refusals import StateUnknown, WorkitemExists
from registry.workitems.values import WELL_KNOWN, Attributes, Note
from workflows.identify_patient import PatientPolicy

_ATTEMPTS: Final = 5
_ISSUER: Final = "00100021"
_QUALIFIERS: Final = "00100024"
_UNIVERSAL: Final = "00400032"


@dataclass(frozen=True, slots=True)
class Told:
    """A workitem as it stands."""

    patient_key: UUID
    study_uid: str
    attributes: Attributes
    """Without the Transaction UID."""


class PerformWorkitems:
    """Creates, changes, ends, tells and watches workitems. Thread safe."""

    def __init__(
        self, facts: Ledger, patient_keys: PatientKeys, policy: PatientPolicy, *, clock: Clock = now
    ) -> None:
        self._facts = facts
        self._patient_keys = patient_keys
        self._policy = policy
        self._clock = clock

    def create(self, sop_uid: str, attributes: Attributes, envelope: Envelope) -> Note:
        """Take a new workitem; raises the refusals of `registry.workitems`, BadIdentifier."""
        uid = dicom_uid(sop_uid)
        state, _ = self._fold(uid)
        moment = self._moment()
        if state.state is not None:
            raise WorkitemExists(sop_uid=uid)
        rules.new(attributes, uid, moment)  # before a patient is made known for it
        decided = commands.create(
            state,
            sop_uid=uid,
            patient_key=self._patient_keys.key(self._policy.patient(_Patient(attributes, uid))),
            attributes=attributes,
            moment=moment,
            envelope=envelope,
        )
        try:
            self._append(decided.batch)
        except StreamMoved:
            # Somebody else created it in the same moment.
            raise WorkitemExists(sop_uid=uid) from None
        return decided.note

    def read(self, sop_uid: str) -> Told:
        """Return a workitem as it stands; raises WorkitemNotKnown."""
        state, _ = self._fold(sop_uid)
        attributes = commands.whole(state, sop_uid=sop_uid)
        key = state.patient_key or UUID(int=0)
        return Told(key, rules.text(attributes, rules.STUDY_UID), attributes)

    def change(
        self, sop_uid: str, attributes: Attributes, envelope: Envelope, *, transaction_uid: str = ""
    ) -> Note:
        """Take changes of a workitem; raises the refusals of `registry.workitems`.

        The Transaction UID may also stand among the attributes, as in N-SET.
        """
        transaction = transaction_uid or rules.text(attributes, rules.TRANSACTION_UID)

        def decide(state: commands.WorkitemState, version: int) -> commands.Decided:
            return commands.change(
                state,
                version,
                sop_uid=sop_uid,
                transaction_uid=transaction,
                attributes=attributes,
                moment=self._moment(),
                envelope=envelope,
            )

        return self._decide(sop_uid, decide)

    def change_state(self, sop_uid: str, asked: Attributes, envelope: Envelope) -> Note:
        """Take a state that is asked for with its Transaction UID; raises as the state machine."""
        try:
            wanted = rules.state_of(asked)
        except StateUnknown:
            self.read(sop_uid)  # what is not known is told first
            raise

        def decide(state: commands.WorkitemState, version: int) -> commands.Decided:
            return commands.change_state(
                state,
                version,
                sop_uid=sop_uid,
                wanted=wanted,
                transaction_uid=rules.text(asked, rules.TRANSACTION_UID),
                moment=self._moment(),
                envelope=envelope,
            )

        return self._decide(sop_uid, decide)

    def request_cancel(
        self, sop_uid: str, asked: Attributes, envelope: Envelope, *, requester: str
    ) -> Note:
        """Take a request to cancel; raises WorkitemNotKnown, WorkitemDone."""
        own = new_uid()
        kept = {tag: told for tag, told in asked.items() if tag in _REQUEST}

        def decide(state: commands.WorkitemState, version: int) -> commands.Decided:
            return commands.request_cancel(
                state,
                version,
                sop_uid=sop_uid,
                requester=requester,
                attributes=kept,
                own_transaction_uid=own,
                moment=self._moment(),
                envelope=envelope,
            )

        return self._decide(sop_uid, decide)

    def subscribe(
        self,
        sop_uid: str,
        ae_title: str,
        envelope: Envelope,
        *,
        deletion_lock: bool = False,
        filters: Mapping[str, str] | None = None,
    ) -> None:
        """Have an AE told of a workitem, or of all; raises the refusals of `registry.workitems`.

        A deletion lock is granted always: a workitem is never deleted (decision 0026).
        """
        self._check_target(sop_uid)

        def decide(_: commands.Watcher, version: int) -> Append | None:
            return commands.subscribe(
                version,
                ae_title=ae_title,
                sop_uid=sop_uid,
                deletion_lock=deletion_lock,
                filters=filters or {},
                envelope=envelope,
            )

        self._of_watcher(ae_title, decide)

    def unsubscribe(self, sop_uid: str, ae_title: str, envelope: Envelope) -> None:
        """Have an AE told no more; raises WorkitemNotKnown, SubscriberNotKnown."""
        self._check_target(sop_uid)

        def decide(_: commands.Watcher, version: int) -> Append | None:
            return commands.unsubscribe(
                version, ae_title=ae_title, sop_uid=sop_uid, envelope=envelope
            )

        self._of_watcher(ae_title, decide)

    def suspend(self, sop_uid: str, ae_title: str, envelope: Envelope) -> None:
        """Have an AE told of nothing new; raises SubscriptionUnfit, SubscriberNotKnown."""

        def decide(state: commands.Watcher, version: int) -> Append | None:
            return commands.suspend(
                state, version, ae_title=ae_title, sop_uid=sop_uid, envelope=envelope
            )

        self._of_watcher(ae_title, decide)

    def _check_target(self, sop_uid: str) -> None:
        if sop_uid not in WELL_KNOWN:
            commands.check_known(self._fold(sop_uid)[0], sop_uid=sop_uid)

    def _decide(
        self, sop_uid: str, decide: Callable[[commands.WorkitemState, int], commands.Decided]
    ) -> Note:
        for attempt in range(_ATTEMPTS):
            decided = decide(*self._fold(sop_uid))
            try:
                self._append(decided.batch)
            except StreamMoved:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                break
        return decided.note

    def _of_watcher(
        self, ae_title: str, decide: Callable[[commands.Watcher, int], Append | None]
    ) -> None:
        stream = commands.watcher_stream(ae_title)
        for attempt in range(_ATTEMPTS):
            state, version = self._facts.fold(
                stream, commands.WATCHES_NOTHING, commands.fold_watcher
            )
            try:
                self._append(decide(state, version))
            except StreamMoved:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    def _append(self, batch: Append | None) -> None:
        if batch is not None:
            self._facts.append(batch)

    def _fold(self, sop_uid: str) -> tuple[commands.WorkitemState, int]:
        stream = commands.workitem_stream(sop_uid)
        return self._facts.fold(stream, commands.UNKNOWN, commands.fold)

    def _moment(self) -> str:
        return self._clock().strftime("%Y%m%d%H%M%S") + "+0000"


_REQUEST: Final = frozenset(
    (
        rules.REASON_FOR_CANCELLATION,
        rules.DISCONTINUATION_REASON,
        rules.CONTACT_URI,
        rules.CONTACT_NAME,
    )
)
"""What a request to cancel may tell (PS3.4 Table CC.2.2-1)."""


@dataclass(frozen=True, slots=True)
class _Patient:
    """The patient of a workitem, as `PatientPolicy` reads it; without one, each has its own."""

    attributes: Attributes
    sop_uid: str

    @property
    def study_uid(self) -> str:
        return rules.text(self.attributes, rules.STUDY_UID) or self.sop_uid

    @property
    def patient_id(self) -> str:
        return rules.text(self.attributes, rules.PATIENT_ID)

    @property
    def patient_id_issuer(self) -> str:
        for qualifiers in rules.items(self.attributes, _QUALIFIERS):
            if universal := rules.text(qualifiers, _UNIVERSAL):
                return universal
        return rules.text(self.attributes, _ISSUER)

    @property
    def patient_name(self) -> str:
        return rules.text(self.attributes, rules.PATIENT_NAME)

    @property
    def patient_birth_date(self) -> str:
        return rules.text(self.attributes, "00100030")

    @property
    def patient_sex(self) -> str:
        return rules.text(self.attributes, "00100040")
