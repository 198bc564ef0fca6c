"""Runs one model over labelled samples and counts its answers: a small table a sample, whatever the image sizes.

Knows nothing of torch: a model is a function from raw images to probabilities.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models import metrics
from models.card import TaskSpec
from models.errors import UnreadableSampleError
from models.rasters.bands import invalid_pixels
from models.rasters.tiling import Window
from models.tasks import Task, tasks_of
from models.tasks.fine import on_grid
from models.tasks.task import Truth
from models.training.data.dataset import Chip, ChipReader, LabelledSample, truth_in
from models.training.data.label_counts import is_labelled
from models.training.reserve.outcomes import OutcomeRow

Answers = Mapping[str, NDArray[np.float32]]

Infer = Callable[[NDArray[np.float32]], Answers]
"""Raw images (N, C, H, W) of any H and W -> the outputs of each task, (N, K) or (N, K, H, W), and finer maps of those
that have them, see `models.tasks.fine`."""

TILE_PX = 512
"""Larger images are calibrated, evaluated and served in tiles of this side."""

BATCH_PIXELS = 2**18
"""Windows of equal size are run together up to this many pixels."""


class Tally:
    """One model's answers for one task on S samples, counted; samples without a label count nothing.

    Attributes:
        task: The task.
        labelled: (S,) whether the sample has a label for the task.
        tables: (S, R, C), see `Task.tally`.
        bins: (S, 15, 3) calibration bins.
        further: (S, K, n) of `Task.further_counts`; None: not asked for, or the task has none.
        outcomes: What is kept of each sample, by its place; filled where it was asked for.
    """

    def __init__(self, task: Task, samples: Sequence[LabelledSample], *, detailed: bool = False) -> None:
        self.task = task
        self.outcomes: dict[int, OutcomeRow] = {}
        self.further: NDArray[np.float64] | None = None
        self._detailed = detailed
        self.labelled = np.array([is_labelled(sample, task) for sample in samples], dtype=np.bool_)
        self.tables = np.zeros((len(samples), *task.table_shape))
        self.bins = np.zeros((len(samples), metrics.CALIBRATION_BINS, 3))

    def keep(self, readable: NDArray[np.bool_]) -> None:
        """Count nothing of samples that could not be read, (S,) False."""
        self.labelled &= readable
        self.tables[~readable] = 0
        self.bins[~readable] = 0
        if self.further is not None:
            self.further[~readable] = 0
        self.outcomes = {index: row for index, row in self.outcomes.items() if readable[index]}

    def add(self, index: int, sample: LabelledSample, windows: Sequence[tuple[Chip, Answers]]) -> None:
        """Count the answers for all windows of sample `index`; answers come without the batch axis."""
        if not self.labelled[index]:
            return
        answered = [(truth_in(chip, self.task, sample), self._answer(chip, answers)) for chip, answers in windows]
        if self.task.finds_objects:
            answered = [(self._truth(sample), self._joined(sample, windows))]
        elif not self.task.per_pixel:
            weights = [max(float((~invalid_pixels(chip.image)).sum()), 1e-6) for chip, _ in windows]
            mean = np.average(np.stack([answer for _, answer in answered]), axis=0, weights=weights)
            answered = [(answered[0][0], mean)]
        row = OutcomeRow(self.task) if self._detailed else None
        for truth, answer in answered:
            table, bins = self.task.tally(truth, answer)
            self.tables[index] += table
            self.bins[index] += bins
            if self._detailed:
                self._add_further(index, truth, answer, windows[0][0].map_scale)
            if row is not None and (judged := self.task.judge(truth, answer)) is not None:
                row.add(table, judged)
                self.outcomes[index] = row

    def _answer(self, chip: Chip, answers: Answers) -> NDArray[np.float32]:
        """For a window, a map on the grid of its truth."""
        if not self.task.per_pixel:
            return answers[self.task.name]
        return on_grid(answers, self.task.name, chip.map_scale * chip.image.shape[1])

    def _truth(self, sample: LabelledSample) -> Truth:
        """Of the whole image."""
        return self.task.cut_truth(sample.targets[self.task.name], (0, 0, sample.width, sample.height))

    def _joined(self, sample: LabelledSample, windows: Sequence[tuple[Chip, Answers]]) -> NDArray[np.float32]:
        """The answer for the whole image, as it is served."""
        gathered = self.task.gather_outputs(sample.height, sample.width)
        for chip, answers in windows:
            height, width = chip.image.shape[1:]
            part = Window(chip.column, chip.row, width, height)
            own = self.task.cut(answers[self.task.name], Window(0, 0, width, height))
            gathered.add(part, ~invalid_pixels(chip.image), own)
        return gathered.result()

    def _add_further(self, index: int, truth: Truth, answer: NDArray[np.float32], scale: int) -> None:
        counts = self.task.further_counts(truth, answer, scale)
        if counts is not None:
            if self.further is None:
                self.further = np.zeros((len(self.labelled), *counts.shape))
            self.further[index] += counts


def tally(
    samples: Sequence[LabelledSample],
    reader: ChipReader,
    tasks: Sequence[TaskSpec],
    infer: Infer,
    window_px: int,
    *,
    detailed: bool = False,
) -> list[Tally]:
    """Run a model once over every sample and count its answers for each task.

    Images larger than `window_px` are cut into windows without overlap; one answer an image is the
    mean over the windows, weighted by valid pixels. Samples that cannot be read count as not labelled.

    Args:
        samples: With or without labels for each of the tasks.
        reader: Reads them.
        tasks: Tasks to count, all answered by `infer`.
        infer: The model.
        window_px: Side of the windows.
        detailed: Whether to gather what is kept of each sample, `Tally.outcomes`.
    """
    tallies = [Tally(task, samples, detailed=detailed) for task in tasks_of(tasks).values()]
    for batch in _batches(samples, reader, window_px):
        if len(batch) == 1:  # one sample, any number of windows
            index, chips = batch[0]
            windows = [(chip, _first(infer(chip.image[np.newaxis]))) for chip in chips]
            for counted in tallies:
                counted.add(index, samples[index], windows)
            continue
        answers = infer(np.stack([chips[0].image for _, chips in batch]))
        for position, (index, chips) in enumerate(batch):
            mine = {name: values[position] for name, values in answers.items()}
            for counted in tallies:
                counted.add(index, samples[index], [(chips[0], mine)])
    for counted in tallies:
        counted.keep(readable(samples, reader))
    return tallies


def readable(samples: Sequence[LabelledSample], reader: ChipReader) -> NDArray[np.bool_]:
    """Which samples could be read so far, (S,)."""
    return np.array([sample.sample_id not in reader.left_out for sample in samples], dtype=np.bool_)


def padded_infer(run: Infer, stride_px: int) -> Infer:
    """Let a model that needs sides in multiples of `stride_px` take any: pad with NaN, cut maps back to the image."""

    def infer(images: NDArray[np.float32]) -> Answers:
        height, width = images.shape[-2:]
        padding = (0, 0), (0, 0), (0, -height % stride_px), (0, -width % stride_px)
        padded = np.pad(images, padding, constant_values=np.nan)
        return {name: _without_padding(value, padded.shape[-1], height, width) for name, value in run(padded).items()}

    return infer


def _without_padding(value: NDArray[np.float32], padded: int, height: int, width: int) -> NDArray[np.float32]:
    """A map cut back to the image, whose padded width is given; anything else, and coarser maps, as they are."""
    if value.ndim != 4:
        return value
    scale = max(1, value.shape[-1] // padded)
    return value[..., : scale * height, : scale * width]


def _batches(
    samples: Sequence[LabelledSample], reader: ChipReader, window_px: int
) -> Iterator[list[tuple[int, list[Chip]]]]:
    """Samples with their windows: those of one window in batches of neighbours of equal size, the others alone."""
    batch: list[tuple[int, list[Chip]]] = []
    for index, sample in enumerate(samples):
        size = sample.height, sample.width
        alone = max(size) > window_px
        limit = max(1, BATCH_PIXELS // (sample.height * sample.width))
        if batch and (alone or len(batch) >= limit or batch[0][1][0].image.shape[1:] != size):
            yield batch
            batch = []
        try:
            entry = index, list(reader.windows(sample, window_px))
        except UnreadableSampleError:
            continue
        if alone:
            yield [entry]
        else:
            batch.append(entry)
    if batch:
        yield batch


def _first(answers: Answers) -> Answers:
    return {name: values[0] for name, values in answers.items()}
