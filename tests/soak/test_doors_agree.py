"""Whatever is corrected, moved, merged and fed, for long: see `tests/walks/test_doors_agree.py`.

Requirements R-6.3.4. Two correct at the same time, and the power goes off in the middle.
"""

from __future__ import annotations

import threading
import time

import httpx
import pytest

from tests.support.every_door import EveryDoor
from tests.support.running import RunningPianku
from tests.support.wandering import Wanderer

pytestmark = [pytest.mark.soak, pytest.mark.tender("R-6.3.4")]
STEPS = 40


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(100, 108))
def test_every_door_tells_the_same_for_long(pianku: RunningPianku, seed: int) -> None:
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


@pytest.mark.timeout(600)
def test_two_correct_at_the_same_time(pianku: RunningPianku) -> None:
    doors = EveryDoor(pianku)
    first = Wanderer(doors, 200)
    first.store(*first.series)
    others = [Wanderer.beside(first, seed) for seed in (201, 202)]
    threads = [threading.Thread(target=_many_steps, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in others:
        first.stored |= other.stored
        first.known = list(dict.fromkeys((*first.known, *other.known)))
        assert len(other.done) == 20
    first.check()
    doors.close()


@pytest.mark.timeout(900)
def test_doors_agree_after_a_power_cut(engine_dsn: str | None) -> None:
    with RunningPianku(dsn=engine_dsn, flags=("--no-load",)) as pianku:
        doors = EveryDoor(pianku)
        wanderer = Wanderer(doors, 300)
        wanderer.store(*wanderer.series)
        for _ in range(4):
            for _ in range(6):
                wanderer.step()
            asked = threading.Thread(target=_asked_in_vain, args=(wanderer,))
            asked.start()
            time.sleep(0.05)
            pianku.kill()
            asked.join()
            pianku.start()
            doors.close()
            wanderer.doors = doors = EveryDoor(pianku)
            wanderer.check()
        doors.close()


def _many_steps(wanderer: Wanderer) -> None:
    for _ in range(20):
        wanderer.step()


def _asked_in_vain(wanderer: Wanderer) -> None:
    """Ask for moves until nobody answers; what was acknowledged or not is for the check to see."""
    try:
        for _ in range(50):
            wanderer.merge()
    except httpx.HTTPError:
        return
