"""A third task works from label to suggestion without a line outside of its own package: only `register` is called."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

import models.tasks
from al_loop.campaigns.create import CampaignRequest, TaskRequest, create_campaign
from al_loop.campaigns.labelling import record_labels
from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import AssistSettings, Campaign, CampaignSettings, ReserveSettings, RetrainPolicy
from al_loop.domain.labels import LabelInput
from al_loop.domain.samples import SampleHeader
from al_loop.errors import InvalidValueError
from al_loop.loop import utc_now
from al_loop.store import LabelStore
from al_loop.training.snapshot import write_snapshot
from models import score_pool, train
from models.card import ModelCard, TrainConfig
from models.inference.predictor import Predictor
from models.rasters.reading import read_header, read_raster
from models.registry import CARD_FILE, ONNX_FILE, ModelRegistry
from models.scoring.spec import SCORES_FILE, write_spec
from models.training.incumbent import load_incumbent
from service.settings import Settings
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import Http, predict
from tests.models.tasks.regression.task import Regression
from tests.models.training.fixtures import TINY_MODEL

CHIPS = 40


@pytest.fixture(autouse=True)
def regression(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task, known to this test only."""
    monkeypatch.setattr(models.tasks, "_KINDS", models.tasks.task_kinds())
    models.tasks.register(Regression)


def number_of(path: str) -> float:
    """The right answer to a chip: its name says how bright it is."""
    return int(path.split("-")[1].split(".")[0]) / CHIPS


@pytest.fixture
def store(settings: Settings) -> Iterator[LabelStore]:
    opened = LabelStore.open(DataLayout(settings.data).database)
    yield opened
    opened.close()


@pytest.fixture
def campaign(store: LabelStore, imagery: Path) -> Campaign:
    """A campaign that asks for numbers: 40 chips from dark to bright."""
    request = CampaignRequest(
        name="demo",
        tasks=[TaskRequest(task="regression", classes=[])],
        root=str(imagery),
        settings=CampaignSettings(
            reserve=ReserveSettings(share=0.3, minimum=8),
            assist=AssistSettings(blind_share=0.0),
            model=TINY_MODEL,
            train=TrainConfig(max_steps=60, batch_size=8, device="cpu"),
        ),
        policy=RetrainPolicy(new_labels=None, min_labels=4, min_reserve_labels=4),
    )
    made = create_campaign(store, request, [imagery], utc_now())
    headers = []
    for number in range(CHIPS):
        rng = np.random.default_rng(number)
        content = rng.normal(300 + 2500 * number / CHIPS, 50, (3, 32, 32)).clip(1)
        path = make_scene(
            imagery / f"chip-{number:02d}.tif",
            width=32,
            height=32,
            content=content,
            origin=(5e5 + 3000 * number, 4.6e6),
        )
        headers.append(SampleHeader(path=path.name, **msgspec.structs.asdict(read_header(path))))
    store.samples.register(made.campaign_id, headers, utc_now())
    return store.campaigns.get("demo")


def label(store: LabelStore, campaign: Campaign, path: str, *names: str) -> None:
    answer = LabelInput(path=path, task="regression", annotator="ann", classes=list(names))
    record_labels(store, campaign, [answer], utc_now())


def train_version(store: LabelStore, campaign: Campaign, layout: DataLayout) -> tuple[Path, ModelCard]:
    """Snapshot, train, evaluate, export, compare, publish and promote: what a round does."""
    directory = layout.round("demo", 1)
    write_snapshot(
        store, campaign, 1, directory / "snapshot", version="v1", incumbent=None, incumbent_version=None, now=utc_now()
    )
    rows = {row["path"]: row for row in pq.read_table(directory / "snapshot" / "samples.parquet").to_pylist()}
    assert all(row["regression"] == [pytest.approx(number_of(Path(path).name))] for path, row in rows.items())
    assert train.main([str(directory / "snapshot"), "--out", str(directory / "training")]) == 0
    card = msgspec.json.decode((directory / "training" / CARD_FILE).read_bytes(), type=ModelCard)
    registry = ModelRegistry(layout.models("demo"))
    registry.publish("v1", directory / "training", card)
    store.versions.add(campaign.campaign_id, "v1", 1, utc_now())
    store.versions.promote(campaign.campaign_id, "v1", reason="test", now=utc_now())
    return registry.path("v1"), card


def score_samples(store: LabelStore, campaign: Campaign, layout: DataLayout, model_dir: Path, card: ModelCard) -> None:
    """Score every sample by the model: what the pool scorer does."""
    part = layout.scores("demo") / "v1" / "0001"
    part.mkdir(parents=True)
    samples = [
        (sample_id, str(Path(campaign.root) / path))
        for sample_id, path in store.scores.unscored(campaign.campaign_id, "v1")
    ]
    spec = write_spec(part, samples, version="v1", model_dir=model_dir, bands=card.bands, tasks=card.tasks)
    assert score_pool.main([str(spec), "--out", str(part)]) == 0
    assert store.scores.ingest(campaign.campaign_id, "v1", part / SCORES_FILE, utc_now()) == CHIPS


def test_label_that_is_no_number_is_refused(store: LabelStore, campaign: Campaign) -> None:
    for names in (["bright"], ["0.1", "0.2"], [], ["nan"]):
        with pytest.raises(InvalidValueError, match=r"labels\[0\]\.classes"):
            label(store, campaign, "chip-00.tif", *names)


def test_task_goes_from_label_to_suggestion(
    store: LabelStore, campaign: Campaign, settings: Settings, imagery: Path, start_service: Callable[[], Http]
) -> None:
    layout = DataLayout(settings.data)
    for number in range(CHIPS):
        if number % 7 == 3:
            continue  # left to be asked about
        path = f"chip-{number:02d}.tif"
        label(store, campaign, path, str(number_of(path)))
    model_dir, card = train_version(store, campaign, layout)
    (measured,) = card.evaluation.candidate
    assert (measured.task, measured.metric, measured.per_class) == ("regression", "r2", {})
    assert measured.value > max(0.5, measured.baseline)
    assert measured.low <= measured.value <= measured.high
    assert card.parity.differences.keys() == {"regression", "embedding"}
    assert card.temperature == {"regression": 1.0}

    again = write_snapshot(
        store, campaign, 2, layout.round("demo", 2) / "snapshot", version="v2", now=utc_now(),
        incumbent=model_dir / ONNX_FILE, incumbent_version="v1",
    )  # fmt: skip
    incumbent, message = load_incumbent(again.manifest)
    assert incumbent is not None, message

    predictor = Predictor(model_dir)
    dark, bright = (read_raster(imagery / f"chip-{number:02d}.tif", [1, 2, 3]) for number in (2, CHIPS - 3))
    assert predictor.answer("regression", bright)[0] > predictor.answer("regression", dark)[0] + 0.3
    scene = np.tile(bright, (1, 20, 20))
    assert predictor.answer("regression", scene)[0] == pytest.approx(predictor.answer("regression", bright)[0], abs=0.3)

    score_samples(store, campaign, layout, model_dir, card)
    deviation = np.exp(predictor.answer("regression", bright)[1] / 2)
    rows = {row["sample_id"]: row for row in pq.read_table(layout.scores("demo") / "v1/0001" / SCORES_FILE).to_pylist()}
    sample_id = store.samples.by_paths(campaign.campaign_id, [f"chip-{CHIPS - 3:02d}.tif"])[f"chip-{CHIPS - 3:02d}.tif"]
    assert rows[sample_id]["entropy"] == pytest.approx(float(deviation), rel=1e-3)
    store.close()

    http = start_service()
    answer = predict(http, "regression", (imagery / f"chip-{CHIPS - 3:02d}.tif").read_bytes())
    assert answer.status_code == 200, answer.text
    assert answer.json()["value"] == pytest.approx(float(predictor.answer("regression", bright)[0]), abs=1e-4)
    sample = f"/campaigns/demo/samples/{sample_id}"
    assert http.post(f"{sample}/suggest", json={"annotator": "bob"}).status_code == 200
    for overlay in ("suggestion", "uncertainty"):
        assert http.get(f"{sample}/thumbnail.png", params={"overlay": overlay}).status_code == 200
    assert http.post(f"{sample}/accept", json={"annotator": "bob"}).status_code == 201
    for route in ("relabels", "agreement", "savings"):
        assert http.get(f"/campaigns/demo/{route}").status_code == 200
    query = {"annotator": "eva", "query_size": 2, "strategy": {"type": "entropy"}}
    asked = http.post("/campaigns/demo/queries", json=query)
    assert asked.status_code == 201, asked.text
    assert asked.json()["version"] == "v1"
    labels = http.get("/campaigns/demo/labels").json()["labels"]
    assert [entry["classes"] for entry in labels if entry["annotator"] == "bob"] == [[f"{answer.json()['value']:.3g}"]]
