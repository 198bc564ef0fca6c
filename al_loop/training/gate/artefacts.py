"""Artefacts that were taken back: the same one must not come again under another name. Pure."""

from collections.abc import Sequence

from al_loop.domain.rounds import WithdrawnVersion
from models.card import ModelCard
from models.registry import ONNX_FILE


def withdrawn_artefact(withdrawn: Sequence[WithdrawnVersion], card: ModelCard) -> str | None:
    """Why a version is not promoted by the service: it is, bit for bit, one that people took back; None: it is not.

    Training is reproducible, so that a round on the same labels makes the same graph once more.

    Args:
        withdrawn: Of the campaign.
        card: Of the published version, with digests.
    """
    digest = card.digests.get(ONNX_FILE)
    for entry in reversed(withdrawn):
        if digest is not None and entry.digest == digest:
            said = f"the same model as {entry.version}, which was {entry.kind} ({entry.reason})"
            return f"{said}; only a person may promote it"
    return None
