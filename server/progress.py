"""Progress bars for long work on the command line.

Design A9 (long work shows progress everywhere). Called by the commands; silent without a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error; yields a function that takes the count done so far."""
    progress = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True, disable=not Console(stderr=True).is_terminal,
    )
    with progress:
        task = progress.add_task(title, total=total)
        yield lambda done: progress.update(task, completed=done)
