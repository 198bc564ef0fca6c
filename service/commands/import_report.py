"""What an import did, and what it would do: the lines that `al-loop import` prints."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console

from al_loop.domain.imports import ImportCounts
from al_loop.domain.samples import SkippedPath
from service.commands.output import ExitCode, exit_for, write

if TYPE_CHECKING:
    from al_loop.campaigns.importing import ImportPlan

SHOWN_SKIPS = 10


@dataclass
class ImportReport:
    """What became of a plan."""

    created: bool = False
    """Whether the campaign was created."""
    new_samples: int = 0
    known_samples: int = 0
    unusable: list[SkippedPath] = field(default_factory=list)
    """Images that the service could not register."""
    sent: int = 0
    """Labels that were sent."""
    counts: ImportCounts = field(default_factory=ImportCounts)
    refused: list[SkippedPath] = field(default_factory=list)
    """Labels that the service refused."""
    notes: list[str] = field(default_factory=list)

    @property
    def recorded(self) -> int:
        """Labels that are new in the store."""
        return self.counts.recorded

    def add(self, counts: ImportCounts) -> None:
        """Add what became of one request."""
        self.counts = ImportCounts(
            recorded=self.counts.recorded + counts.recorded,
            unchanged=self.counts.unchanged + counts.unchanged,
            kept=self.counts.kept + counts.kept,
            outranked=self.counts.outranked + counts.outranked,
            overruled=self.counts.overruled + counts.overruled,
        )

    @property
    def came_to_nothing(self) -> bool:
        """Whether no image is in, or labels were sent and none is in."""
        samples = self.new_samples + self.known_samples
        return not samples or bool(self.sent and len(self.refused) == self.sent)

    def exit_code(self, plan: "ImportPlan") -> ExitCode:
        """0: everything is in; 3: in part; 2: nothing."""
        missing = len(self.unusable) + len(self.refused) + len(plan.problems)
        return exit_for(0 if self.came_to_nothing else 1, missing)


def print_report(out: Console, campaign: str, plan: "ImportPlan", report: ImportReport) -> None:
    """What was stored, what was not, and why."""
    counts = report.counts
    samples = f"{report.new_samples} new" + (f", {report.known_samples} known" if report.known_samples else "")
    labels = f"{counts.recorded} new"
    if counts.unchanged or counts.kept:
        labels += f", {counts.unchanged} unchanged"
    if report.refused:
        labels += f", {len(report.refused)} refused"
    kinds = " and ".join(plan.label_counts) or "no"
    lines = [f"{campaign}: {plan.kind}, {len(plan.paths)} images ({samples}), {kinds} labels: {labels}"]
    if counts.kept:
        lines.append(
            f"{counts.kept} labels stay as people corrected or retracted them (--overwrite takes the folder's)"
        )
    if counts.outranked:
        lines.append(
            f"{counts.outranked} labels do not count, as people answered for these images (--overwrite lets the "
            "folder's count)"
        )
    if counts.overruled:
        lines.append(f"{counts.overruled} answers of people no longer count (--overwrite); they stay in the history")
    for line in [*lines, *plan.notes, *report.notes]:
        out.print(line, highlight=False, soft_wrap=True)
    print_skipped(out, [*plan.skipped, *report.unusable, *report.refused])


def print_plan(plan: "ImportPlan") -> None:
    """Write to stdout what an import would do."""
    lines = [f"layout: {plan.kind} in {plan.root}", f"images: {len(plan.paths)}"]
    for task, count in plan.label_counts.items():
        lines.append(f"labels: {count} {task}")
        lines += [f"  {name}: in {images} images" for name, images in plan.class_counts.get(task, {}).items()]
    lines += [f"note: {note}" for note in plan.notes]
    lines += skipped_lines(plan.skipped)
    lines.append("nothing was created or recorded (--dry-run)")
    write("\n".join(lines))


def print_skipped(out: Console, skipped: Sequence[SkippedPath]) -> None:
    """Reasons with their counts, and an example of each."""
    for line in skipped_lines(skipped):
        out.print(line, highlight=False, markup=False, soft_wrap=True)


def skipped_lines(skipped: Sequence[SkippedPath]) -> list[str]:
    """Reasons with their counts, and an example of each."""
    reasons = Counter(entry.reason for entry in skipped)
    lines = []
    for reason, count in reasons.most_common(SHOWN_SKIPS):
        example = next(entry.path for entry in skipped if entry.reason == reason)
        lines.append(f"  skipped {count}: {reason} (for example {example})")
    if len(reasons) > SHOWN_SKIPS:
        lines.append(f"  and {len(reasons) - SHOWN_SKIPS} other reasons")
    return lines
