"""An installation that takes in instances: the views of studies and storage, the intake, no server.

Called by tests of study_index, storage_map and the DICOMweb adapter, on both engines.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from adapters.storage.local import LocalBlobStore
from kernel.context import Envelope
from projections.commitments import projection as commitments
from projections.storage_map.projection import spec as storage_map
from projections.storage_map.view import StorageMap
from projections.study_index.projection import spec as study_index
from projections.study_index.search import Searches
from projections.study_index.view import StudyIndex
from projections.workitems import projection as workitems
from repository.instances.header import identify
from repository.instances.stored import StoredInstances
from tests.support.archive import AUTHORITY, octets
from tests.support.installation import Installation, installation
from workflows.gather_instances import Offer
from workflows.identify_patient import PatientPolicy
from workflows.store_instances import InstanceIntake


@dataclass
class Imaging:
    """What a test looks at."""

    house: Installation
    blobs: LocalBlobStore
    intake: InstanceIntake
    stored: StoredInstances
    index: StudyIndex
    searches: Searches
    storage: StorageMap

    def store(self, *instances: Dataset | bytes) -> list[bytes]:
        """Take instances in, as one request, and return their octets."""
        files = [one if isinstance(one, bytes) else octets(one) for one in instances]
        offers = []
        for file in files:
            incoming = self.blobs.incoming()
            incoming.write(file)
            incoming.seal()
            offers.append(Offer(incoming, identify(file)))
        for outcome in self.intake.store_many(offers, Envelope()):
            if isinstance(outcome, Exception):
                raise outcome
        return files


@contextmanager
def imaging(folder: Path, *, dsn: str | None = None, schema: str = "") -> Generator[Imaging]:
    """Give an installation that takes in instances."""
    blobs = LocalBlobStore(folder / "blobs")
    stored = StoredInstances(blobs)
    specs = [study_index(stored), storage_map(stored), commitments.SPEC, workitems.SPEC]
    with installation(folder, specs, dsn=dsn, schema=schema) as house:
        intake = InstanceIntake(house.facts, blobs, house.keys, PatientPolicy(AUTHORITY))
        yield Imaging(
            house,
            blobs,
            intake,
            stored,
            StudyIndex(house.views),
            Searches(house.views),
            StorageMap(house.views),
        )
        intake.close()
    blobs.close()
