"""Structs that describe a task, a model and a finished version; they travel as JSON beside the files.

New fields go at the end and get a default, so that old cards and manifests still decode.
"""

from typing import Annotated, Literal

import msgspec

from al_loop_records.pretraining import SHIPPED, PretrainConfig, PretrainSummary
from al_loop_records.runs import Environment

TaskName = str
"""Name of a task, as `models.tasks` lists them."""

BACKGROUND = 0
"""Segmentation code of pixels that belong to no class; class k of `TaskSpec.classes` has code k + 1."""

IGNORE = 255
"""Segmentation code of pixels that say nothing: left out of losses and metrics."""


Alpha = Literal["auto", "none", "last"]
Nodata = Literal["all", "any"]
Unlabelled = Literal["background", "ignore"]


class BandPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How all files of a campaign, and of the models trained on it, are read."""

    alpha: Alpha = "auto"
    """auto: the last band is alpha where the file declares it, unless that leaves too few bands of a file that GDAL
    may have tagged by default; none: all bands are data; last: the last band is alpha where there is one too many."""
    nodata: Nodata = "all"
    """all: a pixel is invalid where all bands of the file hold their nodata value, as in GDAL's dataset mask; any:
    where one of the bands that are read does, or is NaN or infinite."""
    source_bands: int | None = None
    """Bands with data that the files have; None: what each file has."""
    expand: bool = False
    """The files are 8-bit RGB: those of one grey or palette band are read as three bands, too."""


class TaskSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One task of a campaign: what is asked about each sample."""

    task: TaskName
    classes: list[str]
    multi_label: bool = False


class Reflectance(msgspec.Struct, frozen=True, kw_only=True):
    """How stored values become reflectances, 0 to 1: scale * (value + offset)."""

    scale: Annotated[float, msgspec.Meta(gt=0, le=1_000)]
    """What a value is multiplied by, after `offset` was added: 0.0001 for Sentinel-2."""
    offset: Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)] = 0.0
    """In stored values: -1000 for Sentinel-2 since processing baseline 04.00."""


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Architecture: everything needed to rebuild the torch module around its weights."""

    encoder: Annotated[str, msgspec.Meta(max_length=200)] = SHIPPED
    """`shipped`: EfficientNet-Lite0 with the ImageNet weights of a package, and `resnet10_narrow` from random weights
    where that package cannot be used. Otherwise the name of a timm encoder that offers `features_only`, or our own
    `resnet10_narrow` (`models.training.networks.encoders`)."""
    pretrained: bool = False
    """Start from timm's pretrained weights (timm fetches them, or finds them in its cache)."""
    pretrained_file: Annotated[str, msgspec.Meta(max_length=4_096)] | None = None
    """Start from this local safetensors file of encoder weights instead."""
    embedding_size: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 128
    """D of the `embedding` output."""
    dropout: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.2
    multispectral: Literal["off", "on"] = "off"
    """Whether frozen features take in those of the networks of `ukis-csmask`, where that package is installed and the
    bands and values of the pool suit it, see `models.encoders.multispectral`."""
    reflectance: Reflectance | None = None
    """How stored values become reflectances, for `multispectral`; None: as `sensor` has them, see the documentation."""
    output_scale: Literal[1, 2] = 1
    """Pixels that a map of classes has for each pixel of the image along each side; 2 suits things that are narrower
    than a pixel, such as roads on Sentinel-2."""


class TrainConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Recipe of one training run."""

    epochs: Annotated[int, msgspec.Meta(ge=1, le=10**9)] | None = None
    """Fixed schedule; None derives it from the number of labels (see `models.train`)."""
    max_steps: Annotated[int, msgspec.Meta(ge=1, le=10**9)] | None = None
    """Optimisation steps at most, whatever the schedule; None: no further bound."""
    batch_size: Annotated[int, msgspec.Meta(ge=2, le=65_536)] = 32
    learning_rate: Annotated[float, msgspec.Meta(ge=0, le=1_000)] = 3e-3
    weight_decay: Annotated[float, msgspec.Meta(ge=0, le=1_000)] = 1e-2
    chip_size_px: Annotated[int, msgspec.Meta(ge=32, le=65_536)] = 256
    """Larger samples are trained on random crops of this size."""
    skeleton_recall: bool = False
    """Whether the deep network is also to find the middle of every region, so that thin ones such as roads have fewer
    gaps and are drawn wider."""
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    candidates: Literal["auto", "quick", "deep"] = "auto"
    """What a round tries: "quick" is a linear head on frozen features, there within seconds; "deep" is the trained
    network; "auto" is the quick one, and the deep one too once there are labels enough, but only the deep one where
    `model` names an encoder or the schedule is fixed."""


CandidateKind = Literal["quick", "deep"]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A network that a training run tried."""

    kind: CandidateKind
    """quick: a linear head on frozen features; deep: a network whose encoder was trained, too."""
    held_out: dict[TaskName, float | None]
    """Of each task, on training labels that it was not fitted on: by cross-validation where one was tried, otherwise
    the task's metric on the calibration split. None: too few labels."""
    seconds: float
    """Wall time of its fit."""
    won: bool
    """Whether it is the version."""


class BandStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Per-band statistics of raw values over a bounded sample of the pool, nodata left out; each of length C."""

    low: list[float]
    """2nd percentile: maps to 0 before standardisation."""
    high: list[float]
    """98th percentile: maps to 1."""
    mean: list[float]
    """Mean of the clipped values scaled by low and high."""
    std: list[float]
    """Standard deviation of the same, at least 1e-3."""
    samples: int
    """Number of samples that were read."""


class OtherMetric(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured besides the metric that decides."""

    name: str
    """As the task names it. map50_95, map30: detection, mean average precision over IoUs from .5 to .95, and at .3."""
    value: float
    low: float
    """95 % bootstrap interval, resampled by block."""
    high: float
    of_class: str | None = None
    """The class that it is of; None: the task. f1_1px, f1_2px, cldice: segmentation, F1 that forgives one and two
    pixels, and F1 of skeletons, for thin classes. ap50: detection, average precision at an IoU of .5."""


class TaskEvaluation(msgspec.Struct, frozen=True, kw_only=True):
    """One model on the labelled test reserve, one task."""

    task: TaskName
    metric: str
    """As the task names it. accuracy: single-label classification; macro_f1: multi-label; miou: segmentation, over the
    classes present; map50: detection, mean average precision at an IoU of .5 over the classes present."""
    value: float
    low: float
    """95 % bootstrap interval, resampled by block; of an accuracy never narrower than the exact binomial one."""
    high: float
    baseline: float
    """`metric` of the best constant answer: the majority class of the training labels or of the reserve; for accuracy
    at least 1 / number of classes, which is chance."""
    samples: int
    per_class: dict[str, float | None]
    """Recall (classification), F1 (multi-label), IoU (segmentation) or average precision at an IoU of .5 (detection);
    None where the reserve has no such class."""
    expected_calibration_error: float
    others: list[OtherMetric] = []
    """What else the task measures."""


class PairedDifference(msgspec.Struct, frozen=True, kw_only=True):
    """Candidate minus incumbent on the same reserve samples, with a 95 % paired bootstrap interval by block."""

    task: TaskName
    difference: float
    low: float
    high: float
    samples: int


class SliceEvaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Candidate and incumbent on a part of the test reserve: the samples that show one class, or those of one place."""

    task: TaskName
    by: Literal["class", "place"]
    """What the samples have in common."""
    name: str
    """Of the class, or of the place: a block of the reserve, such as `place:12:40` or `folder:alps`."""
    metric: str
    """Of a class: recall, f1 or iou, as the task measures its classes; of a place: the metric of the task."""
    samples: int
    """Reserve samples that were counted; of a class: those whose truth shows it."""
    value: float
    expected_calibration_error: float | None = None
    """Of the candidate; None for a class."""
    incumbent: float | None = None
    """`metric` of the incumbent on the same samples; None: it was not measured on this task."""
    incumbent_calibration_error: float | None = None
    """The same of the incumbent."""
    low: float | None = None
    """95 % paired bootstrap interval by block of `value` - `incumbent`."""
    high: float | None = None


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Processor time of one run of candidate and incumbent on the same input, in turn, by one thread: the fastest."""

    candidate_ms: float
    """Of the new version."""
    incumbent_ms: float | None
    """None: there is no incumbent that reads the same bands."""
    runs: int
    """Runs of each."""
    shape: list[int]
    """(N, C, H, W) of the input."""


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """What a round measured on the test reserve; the input of the promotion gate."""

    candidate: list[TaskEvaluation]
    incumbent_version: str | None = None
    incumbent: list[TaskEvaluation] = []
    paired: list[PairedDifference] = []
    slices: list[SliceEvaluation] = []
    """By class and place; empty where they are kept elsewhere, and in evaluations from before there were any."""
    latency: Latency | None = None
    """None: not measured."""


class GroundSampling(msgspec.Struct, frozen=True, kw_only=True):
    """Ground sampling distance of images that have a place, in metres a pixel."""

    least: float
    """Of the finest image."""
    median: float
    """Of half of the images it is less."""
    most: float
    """Of the coarsest image."""


class ClassImages(msgspec.Struct, frozen=True, kw_only=True):
    """How many labelled images show a class."""

    task: TaskName
    name: str
    """Of the class."""
    training: int
    """Calibration included."""
    reserve: int
    """Of the test reserve."""


class TrainingData(msgspec.Struct, frozen=True, kw_only=True):
    """What a version was trained on, for people who have never seen the images."""

    images: int
    """Labelled ones that it was trained on, calibration included."""
    reserve_images: int
    """Labelled ones of the test reserve."""
    sensor: str | None
    """As the campaign's settings say; null: nobody said."""
    value_types: list[str]
    """Of the stored values, such as uint16."""
    width_px: list[int]
    """Least and most; empty without images."""
    height_px: list[int]
    """Least and most; empty without images."""
    ground_sampling_m: GroundSampling | None
    """null: no training image has a place."""
    classes: list[ClassImages]
    """Of every task, in its order."""
    footprints: list[list[float]]
    """left, bottom, right, top of training images in degrees, EPSG:4326; left > right across the date line; at most
    500."""
    footprints_left_out: int
    """Further training images with a place."""
    without_place: int
    """Training images without a place."""


class ParityReport(msgspec.Struct, frozen=True, kw_only=True):
    """Largest absolute difference between torch and ONNX Runtime per output, over all checked shapes."""

    differences: dict[str, float]
    tolerance: float
    shapes: list[list[int]]
    """The (N, C, H, W) inputs that were compared."""


class AddedModel(msgspec.Struct, frozen=True, kw_only=True):
    """Where a version comes from that was not trained here but added by hand."""

    file: str
    """Name of the ONNX file as it came."""
    sha256: str
    """Of its bytes, in hexadecimal digits; the version's own file has our input and outputs around it."""
    source: str
    """As whoever added it said; empty: nothing."""
    licence: str
    """As whoever added it said; empty: nothing."""
    seconds: float
    """Of one image in the trial run, the fastest."""
    images: int
    """Images of the trial run."""


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """What a model needs, what it answers and how good it is. Written last; its digests seal the version."""

    format: int = 1
    version: str
    campaign: str
    round_number: int
    created_at: str
    """RFC 3339, UTC."""
    tasks: list[TaskSpec]
    source_bands: int
    """Number of bands that an input image must have."""
    bands: list[int]
    """1-based bands of the image that the model reads, in the model's order."""
    model: ModelConfig
    train: TrainConfig
    statistics: BandStatistics
    temperature: dict[str, float]
    """Calibration temperature of each task; already applied inside the graph."""
    stride_px: int
    """Height and width of the input must be multiples of this (the predictor pads with NaN)."""
    tile_px: int
    """Images larger than this on a side are predicted in overlapping tiles."""
    embedding_size: int
    evaluation: Evaluation
    parity: ParityReport
    manifest_sha256: str
    labels: int
    """Labelled samples that the version was trained on (calibration included, reserve not)."""
    seconds: float
    """Wall time of training."""
    digests: dict[str, str]
    """sha256 of every other file in the version's directory."""
    trained_from: str | None = None
    """Encoder version whose weights the training started from; None: as `model` says."""
    pretraining: PretrainConfig | None = None
    """How an encoder version (one without tasks) was made; None for models."""
    pretraining_summary: PretrainSummary | None = None
    band_policy: BandPolicy | None = None
    """How the bands of its images were read; None: a version from before this was recorded, see `reading`."""

    candidates: list[Candidate] = []
    """What the training run tried; empty: a version from before there was a choice."""
    choice: str | None = None
    """Which candidate won, by how much, and why these were tried, in words."""
    encoder_problem: str | None = None
    """Why the shipped encoder was asked for and another one was trained, in one sentence; None: it was not so."""
    features: str | None = None
    """What its frozen features come from, in words; None: it has none, or is from before there was a choice."""
    remarks: list[str] = []
    """What was unusual about its training, such as smaller batches for lack of memory."""
    environment: Environment | None = None
    """What its training ran in; None: a version from before this was recorded."""
    peak_memory_mb: float | None = None
    """Most memory that its training held, in MB (10^6 bytes); None: not recorded."""
    data: TrainingData | None = None
    """What it was trained on; None: not recorded."""
    band_kinds: list[str] | None = None
    """What each of `bands` shows, such as red or nir, or unknown; None: not recorded."""
    added: AddedModel | None = None
    """Where it comes from, if it was added by hand; None: it was trained here."""

    @property
    def reading(self) -> BandPolicy:
        """How images are read for it: as for its training, and for older versions by their number of bands."""
        return self.band_policy or BandPolicy(source_bands=self.source_bands)
