"""What whoever adds a model from elsewhere says about it: the file `card.json` of `al-loop model add`."""

from typing import Annotated, Literal, get_args

import msgspec

from models.card import TaskName
from models.errors import ForeignModelError

BoxMeaning = Literal["boxes", "box_rows", "yolo", "yolo_objectness"]
"""Of a detector, all in pixels of its input: three outputs of sides (n, 4), scores (n,) and numbers of classes (n,), as
torchvision has them; rows (1, n, 6) of sides, score and number of the class; or, with boxes that overlap still in it,
centre, size and a score for each class (1, 4 + K, n), or centre, size, score and share of each class (1, n, 5 + K)."""
BOX_MEANINGS = get_args(BoxMeaning)
Meaning = Literal["probabilities", "logits", "sigmoid", "sigmoid_logits", "codes"] | BoxMeaning
"""Of an output: probabilities that add up to 1, their logits before a softmax, probabilities of single classes, their
logits before a sigmoid, one code a pixel, or boxes."""
Layout = Literal["nchw", "nhwc"]
FORMAT_HINT = 'an example is {"task": "segmentation", "bands": [4, 3, 2], "scale": 4000, "clip": [0, 1], "output": \
{"meaning": "sigmoid", "classes": ["water"]}}'
Positive = Annotated[int, msgspec.Meta(ge=1, le=4096)]


class DeclaredOutput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The output that answers the task."""

    classes: list[str | None]
    """What each channel or code of the output stands for, in its order, by names of the campaign's classes; null:
    nothing that the campaign asks for, such as background."""
    name: str | None = None
    """Of the output; null: the model has one only. Of three outputs of boxes, that of their sides; null: `boxes`."""
    scores: str | None = None
    """Of three outputs of boxes, the name of that of their scores; null: `scores`."""
    labels: str | None = None
    """The name of that of the numbers of their classes, from 0; null: `labels`."""
    meaning: Meaning | None = None
    """Null: the graph's last step tells, a Softmax, Sigmoid or ArgMax; of boxes, the shape of the output."""


class ForeignCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model from elsewhere in words."""

    task: TaskName
    """The campaign's task that it answers: classification, segmentation or detection."""
    output: DeclaredOutput
    scale: Annotated[float, msgspec.Meta(gt=0)]
    """What pixel values are divided by before anything else; 4000 as in the tutorials, 1 for none."""
    bands: list[int] | None = None
    """Bands of the files, from 1, in the model's order; null: those of the campaign, if it reads as many."""
    clip: tuple[float, float] | None = None
    """Least and greatest value after the division; null: no limits."""
    mean: list[float] | None = None
    """Of each band, subtracted after that; null: nothing."""
    std: list[float] | None = None
    """Of each band, divided by after that; null: nothing."""
    layout: Layout | None = None
    """Order of the input's dimensions; null: the place of the bands in it tells."""
    multiple_of: Positive = 32
    """Height and width have to be multiples of this, where the model does not fix them."""
    source: str = ""
    """Where it comes from."""
    licence: str = ""
    """Of the model."""


def read_foreign_card(data: bytes) -> ForeignCard:
    """Decode a card.

    Raises:
        ForeignModelError: It is none; the message says what is wrong and where.
    """
    try:
        card = msgspec.json.decode(data, type=ForeignCard)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ForeignModelError(f"the card cannot be used: {error}; {FORMAT_HINT}") from error
    named = [name for name in card.output.classes if name is not None]
    if not named or len(set(named)) < len(named):
        raise ForeignModelError("the card's `output.classes` name no class, or one twice")
    if card.bands is not None and (not card.bands or min(card.bands) < 1):
        raise ForeignModelError("the card's `bands` are numbers from 1")
    if card.std is not None and any(value <= 0 for value in card.std):
        raise ForeignModelError("the card's `std` has to be above 0")
    return card
