"""Why an instance is not taken: the refusals of imaging studies.

Raised by `commands.py` and the intake workflows; mapped by each protocol's `faults.py`.
PS3.4 B.2.3 (storage statuses), requirements "same SOP Instance UID with other bytes".
"""

from __future__ import annotations

from typing import ClassVar

from kernel.refusals import Conflict, Invalid, NotFound, Unavailable


class InstanceDiffers(Conflict):
    """The SOP Instance UID is held with other content; both are kept, the held one answers."""

    code: ClassVar[str] = "instance_differs"


class InstanceMismatch(Invalid):
    """The data set is not of the SOP class or instance that the request announced."""

    code: ClassVar[str] = "instance_mismatch"


class PatientNotUsable(Invalid):
    """The data set names no patient, and the policy wants one."""

    code: ClassVar[str] = "patient_not_usable"


class PatientNotKnown(NotFound):
    """The patient is not known, and the policy creates none from images."""

    code: ClassVar[str] = "patient_not_known"


class StudyNotKnown(NotFound):
    """No instance of the study was ever stored."""

    code: ClassVar[str] = "study_not_known"


class IntakeClosed(Unavailable):
    """The intake is being stopped."""

    code: ClassVar[str] = "intake_closed"


class CorrectionInvalid(Invalid):
    """A correction names an attribute or a value that it cannot."""

    code: ClassVar[str] = "correction_invalid"


class NothingChanges(Invalid):
    """What is asked for is so already, or was taken back before."""

    code: ClassVar[str] = "nothing_changes"


class InstancesNotOfStudy(Invalid):
    """Series or instances to be moved are not of the study they are to leave."""

    code: ClassVar[str] = "instances_not_of_study"


class StudyOfAnotherPatient(Conflict):
    """The study that instances are to be moved to is another patient's: reassign it first."""

    code: ClassVar[str] = "study_of_another_patient"
