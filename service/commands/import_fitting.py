"""Whether a labelled folder fits a campaign that exists: its images, its classes, and files that have moved."""

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from al_loop.domain.campaigns import ClassRequest
from al_loop.domain.names import same_text
from al_loop.errors import InvalidValueError
from service.commands.import_report import ImportReport

if TYPE_CHECKING:
    from al_loop.campaigns.importing import ImportPlan
    from al_loop.client.answers import CampaignView
    from al_loop.client.operators import OperatorClient

SHOWN = 3


def fit_into(
    client: "OperatorClient", plan: "ImportPlan", campaign: str, report: ImportReport, *, add_classes: bool
) -> str:
    """Check a plan against a campaign, add its classes if that is wanted, and note what will not go in.

    Args:
        client: Of the service.
        plan: What the folder offers.
        campaign: A campaign that exists.
        report: Takes the notes.
        add_classes: Whether classes that the campaign lacks are added to it.

    Returns:
        What stands before the folder's paths in the campaign: empty, or the folder's own path below the campaign's
        root with a slash at its end.

    Raises:
        InvalidValueError: The campaign is about other images or other tasks.
    """
    view = client.campaign(campaign)
    prefix = _prefix(plan, view)
    asked = {spec.task for spec in view.tasks}
    if asked.isdisjoint(plan.label_counts):
        raise InvalidValueError(
            "$.directory",
            f"the folder holds {' and '.join(plan.label_counts)} labels, and {campaign} asks "
            f"{' and '.join(sorted(asked))}; import it under another name",
        )
    _note_classes(client, plan, campaign, report, add_classes=add_classes)
    _note_moved(client, plan, view, prefix, report)
    return prefix


def _prefix(plan: "ImportPlan", view: "CampaignView") -> str:
    root = Path(view.root)
    if plan.root == root or not root.is_dir():  # the service may see the folder under another name
        return ""
    if plan.root.is_relative_to(root):
        return f"{plan.root.relative_to(root).as_posix()}/"
    raise InvalidValueError(
        "$.directory",
        f"the images of {view.name} lie in {root}, and this folder is {plan.root}: import it under another name, or "
        "move it below the campaign's folder",
    )


def _note_classes(
    client: "OperatorClient", plan: "ImportPlan", campaign: str, report: ImportReport, *, add_classes: bool
) -> None:
    known = {entry.task: entry.classes for entry in client.classes(campaign).tasks}
    for spec in plan.tasks:
        if spec.task not in known:
            report.notes.append(f"{campaign} does not ask {spec.task}: labels of it are refused")
            continue
        names = {same_text(name) for entry in known[spec.task] for name in (entry.name, *entry.formerly)}
        counts = plan.class_counts.get(spec.task, {})
        missing = [name for name in spec.classes if same_text(name) not in names and counts.get(name, 1)]
        if not missing:
            continue
        told = ", ".join(f"{name!r}" for name in missing)
        if add_classes:
            for name in missing:
                client.add_class(campaign, ClassRequest(task=spec.task, name=name))
            report.notes.append(f"added to {campaign}: {told}")
        else:
            report.notes.append(
                f"{campaign} has no class {told}: labels of it are refused; --add-classes adds it to the campaign"
            )


def _note_moved(
    client: "OperatorClient", plan: "ImportPlan", view: "CampaignView", prefix: str, report: ImportReport
) -> None:
    """Tell of samples below the folder whose file is gone, and of new images of the same name."""
    root = Path(view.root)
    if not root.is_dir():
        return
    here = {f"{prefix}{path}" for path in plan.paths}
    known = {sample.path for sample in client.every_sample(view.name)}
    gone = sorted(p for p in known - here if p.startswith(prefix) and not (root / p).exists())
    if not gone:
        return
    new = {PurePosixPath(path).name: path for path in sorted(here - known)}
    moved = [(path, new[name]) for path in gone if (name := PurePosixPath(path).name) in new]
    examples = ", ".join(f"{old} -> {now}" for old, now in moved[:SHOWN]) or ", ".join(gone[:SHOWN])
    told = f", {len(moved)} of which have the name of a new image and may have moved" if moved else ""
    report.notes.append(
        f"{len(gone)} images of {view.name} have no file any more{told} ({examples}); their labels stay with them. "
        "Move the files back, or take them out with al-loop remove"
    )
