"""Progress bars for long work on the command line.

Design A9 (long work shows progress everywhere). Called by the commands; silent without a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Advance(Protocol):
    """Takes the count done so far; a new total or what was just finished, if they changed."""

    def __call__(self, done: int, total: int | None = None, what: str = "") -> None:
        """Show it."""
        ...


@contextmanager
def bar(title: str, total: int) -> Iterator[Advance]:
    """Show a bar on standard error, and nothing when that is no terminal."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not Console(stderr=True).is_terminal,
    )
    with progress:
        task = progress.add_task(title, total=total)

        def advance(done: int, total: int | None = None, what: str = "") -> None:
            told = f"{title} ({what})" if what else title
            progress.update(task, completed=done, total=total, description=told)

        yield advance
