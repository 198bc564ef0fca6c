"""What is known of the licence of a version's weights, in sentences."""

from models.card import ModelCard
from models.encoders.wheel import DISTRIBUTION, SHIPPED_ENCODER
from models.pretrain_config import SHIPPED

OWN = (
    "What was trained here belongs to whoever trained it: al-loop is under Apache-2.0 and claims no right in weights. "
    "The licences of the images and of the labels may set terms; they are not known here."
)


def licences_of(card: ModelCard) -> list[str]:
    """Where the weights started from and under which licence, then what was added."""
    told = []
    if card.trained_from is not None:
        told.append(
            f"The encoder started from {card.trained_from}, which was made from the campaign's own images; its card "
            "says what that one started from."
        )
    elif card.model.pretrained_file is not None:
        told.append("The encoder started from a file of weights that was given by its path: its licence is not known.")
    elif card.model.encoder in (SHIPPED, SHIPPED_ENCODER):
        told.append(
            f"The encoder is EfficientNet-Lite0 with the weights of the package {DISTRIBUTION}, Apache-2.0, trained on "
            "the photographs of ImageNet, whose terms of use allow research."
        )
    elif card.model.pretrained:
        told.append(
            f"The encoder started from timm's weights of {card.model.encoder}: their licence stands with timm's model."
        )
    else:
        told.append(f"The encoder {card.model.encoder} started from random weights.")
    if card.features is not None and "csmask" in card.features:
        told.append("Part of its features are those of ukis-csmask of DLR, Apache-2.0.")
    return [*told, OWN]
