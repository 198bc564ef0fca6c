"""Shows how work goes on in the terminal: bars, and jobs of the service that are followed to their end."""

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from al_loop.domain.jobs import JobState
from al_loop_records.runs import ProgressLine
from service.commands.output import console

POLL_S = 0.5


class JobView(Protocol):
    """What the service answers of a job."""

    @property
    def state(self) -> JobState:
        """Newest."""
        ...

    @property
    def progress(self) -> ProgressLine | None:
        """Newest line of one that runs."""
        ...


View = TypeVar("View", bound=JobView)


def bars(*, quiet: bool) -> Progress:
    """Bars on standard error with counts and the time left, which go when they are done; `quiet`: nothing is shown."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console(stderr=True, quiet=quiet), transient=True)


def follow_with_bar(view: View, look: Callable[[], View], cancel: Callable[[], object], *, quiet: bool) -> View:
    """Show a job as a bar until it has ended, as `follow` does."""
    with bars(quiet=quiet) as progress:
        bar = progress.add_task(view.state, total=None)

        def show(now: View) -> None:
            done, total = (0, None) if now.progress is None else (now.progress.done, now.progress.total or None)
            progress.update(bar, description=now.state, completed=done, total=total)

        return follow(view, look, cancel, show)


def follow_with_lines(
    view: View, look: Callable[[], View], cancel: Callable[[], object], say: Callable[[View], str], *, quiet: bool
) -> View:
    """Print what `say` makes of a job whenever that changes, until it has ended, as `follow` does."""
    out, said = console(stderr=True, quiet=quiet), [""]

    def show(now: View) -> None:
        if (line := say(now)) != said[-1]:
            said.append(line)
            out.print(line, highlight=False)

    return follow(view, look, cancel, show)


def follow(view: View, look: Callable[[], View], cancel: Callable[[], object], show: Callable[[View], None]) -> View:
    """Look at a job twice a second until it has ended; Ctrl-C cancels it.

    Args:
        view: The job as it was started.
        look: Asks the service for it.
        cancel: Has the service cancel it.
        show: Called with what was seen, but for the end.

    Returns:
        The job as it ended.
    """
    try:
        while not view.state.is_end:
            show(view)
            time.sleep(POLL_S)
            view = look()
    except KeyboardInterrupt:
        cancel()
        raise
    return view
