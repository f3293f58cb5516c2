"""What somebody at a terminal sees while a command runs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress


@contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """A bar over files on a terminal, nothing elsewhere; call it with the file of each message."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    seen: set[str] = set()
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("messages", total=total)

        def advance(file: str) -> None:
            seen.add(file)
            bar.update(task, completed=len(seen))

        yield advance
