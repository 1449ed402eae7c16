"""Why the demo data could not be loaded: one refusal, naming the door and its answer.

Design F (refusals name ids and values, never persons).
Raised by the senders of this package, caught by `server.cli`.
"""

from __future__ import annotations

from kernel.refusals import Unavailable


class DoorRefused(Unavailable):
    """A front door refused the demo data or never answered."""

    code = "demo_door_refused"

    def __init__(self, door: str, status: str, detail: str = "") -> None:
        self.door = door
        self.status = status
        tail = f": {detail}" if detail else ""
        super().__init__(f"{door} answered {status}{tail}")
