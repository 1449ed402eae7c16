"""Whatever is corrected, moved, merged and fed: every door tells the same of every instance.

Requirements R-6.3.4; the long form is `tests/soak/test_doors_agree.py`.
"""

from __future__ import annotations

import pytest

from tests.support.every_door import EveryDoor
from tests.support.running import RunningPianku
from tests.support.wandering import Wanderer

pytestmark = pytest.mark.tender("R-6.3.4")
STEPS = 14


@pytest.mark.parametrize("seed", [3])
def test_every_door_tells_the_same(pianku: RunningPianku, seed: int) -> None:
    doors = EveryDoor(pianku)
    wanderer = Wanderer(doors, seed)
    wanderer.store(*wanderer.series)
    for step in range(STEPS):
        wanderer.step()
        if step % 4 == 3:
            wanderer.check()
    places = wanderer.check()
    for study in dict.fromkeys(one.study_uid for one in places.values()):
        doors.manifest_says({u: one for u, one in places.items() if one.study_uid == study})
    doors.close()
