"""The simulated annotator: knows the answers of a labelled folder and gives them when asked."""

from dataclasses import dataclass

import msgspec

from al_loop.campaigns.importing import ImportPlan
from al_loop.domain.labels import LabelInput


@dataclass(frozen=True)
class Annotator:
    """A simulated annotator: the right answers of a labelled folder, by path of the image."""

    truth: dict[str, list[LabelInput]]

    @classmethod
    def from_plan(cls, plan: ImportPlan) -> "Annotator":
        """An annotator who knows all labels of an import plan."""
        truth: dict[str, list[LabelInput]] = {}
        for label in plan.labels():
            if label.path is not None:
                truth.setdefault(label.path, []).append(label)
        return cls(truth)

    def answers(self, path: str, sample_id: int, name: str) -> list[LabelInput]:
        """Labels of one sample under an annotator's name; empty if the folder has none for it."""
        return [
            msgspec.structs.replace(label, path=None, sample_id=sample_id, annotator=name)
            for label in self.truth.get(path, [])
        ]

    def in_words(self, path: str) -> str:
        """The right answer about one image, as text for the report."""
        words = []
        for label in self.truth.get(path, []):
            if label.classes is not None:
                words.append(", ".join(label.classes) or "none of the classes")
            elif label.features is not None:
                names = {feature["properties"].get("label") for feature in label.features["features"]}
                words.append(", ".join(sorted(name for name in names if name)) or "no class in the picture")
        return "; ".join(words)
