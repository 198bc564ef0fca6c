"""The simulated annotator: knows the right answer to every sample of a labelled folder."""

from collections.abc import Iterable

import msgspec

from al_loop.campaigns.bands import decide, look_at
from al_loop.campaigns.importing import ImportPlan
from al_loop.domain.labels import LabelInput
from al_loop.domain.samples import SampleHeader
from models.card import BandPolicy
from models.errors import RasterError
from models.rasters.reading import read_header, resolve_inside

ANNOTATOR = "simulation"


class Oracle:
    """Headers and answers of the samples that can be asked about. Read-only: runs share it between threads."""

    def __init__(self, headers: dict[str, SampleHeader], answers: dict[str, list[bytes]]) -> None:
        self._headers, self._answers = headers, answers

    @classmethod
    def read(cls, plan: ImportPlan) -> "Oracle":
        """Read all labels of a folder and the headers of their images; unreadable images are left out.

        Answers stay encoded: a mask of three megapixels is 4 MB as JSON, and fifty times that as Python lists.
        """
        answers: dict[str, list[bytes]] = {}
        for label in plan.labels(ANNOTATOR):
            answers.setdefault(label.path or "", []).append(msgspec.json.encode(label))
        headers: dict[str, SampleHeader] = {}
        decided = decide(look_at(plan.root, sorted(answers)), plan.settings, None)
        policy = BandPolicy(
            alpha=plan.settings.alpha,
            nodata=plan.settings.nodata,
            source_bands=None if decided is None else decided.source_bands,
        )
        for path in answers:
            try:
                header = read_header(resolve_inside(plan.root, path), path, policy=policy)
            except RasterError:
                continue
            headers[path] = SampleHeader(path=path, **msgspec.structs.asdict(header))
        return cls(headers, answers)

    def only(self, paths: Iterable[str]) -> "Oracle":
        """An oracle of the samples with these paths."""
        return Oracle({path: self._headers[path] for path in paths}, self._answers)

    @property
    def headers(self) -> list[SampleHeader]:
        """Headers of the samples with an answer, sorted by path."""
        return [self._headers[path] for path in sorted(self._headers)]

    def answer(self, path: str) -> list[LabelInput]:
        """The complete answers to all tasks of a sample."""
        return [msgspec.json.decode(text, type=LabelInput) for text in self._answers[path]]
