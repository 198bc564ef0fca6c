import gc
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.gate import Challenger
from al_loop.errors import ConflictError, NotFoundError, RejectedVersionError
from al_loop.serving.model_server import ModelServer
from al_loop.store import LabelStore
from models.errors import CorruptVersionError
from models.inference.image_model import ImageModel
from tests.al_loop.store.fixtures import NOW
from tests.data.tiny_model import make_tiny_onnx


def test_half_published_version_of_a_crash_is_removed_at_start(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path
) -> None:
    layout = DataLayout(tmp_path / "data")
    campaign, without_models = make_campaign("demo"), make_campaign("other")
    root = layout.models(campaign.name)
    make_tiny_onnx(root)
    leftover = root / ".staging-abc"
    leftover.mkdir()
    (leftover / "model.onnx").write_bytes(b"half")

    ModelServer(label_store, layout).remove_leftovers()

    assert [path.name for path in root.iterdir()] == ["v1"]
    assert not layout.models(without_models.name).exists()


def test_version_that_was_replaced_is_let_go(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path
) -> None:
    layout = DataLayout(tmp_path / "data")
    campaign = make_campaign("demo")
    server = ModelServer(label_store, layout)
    for number in (1, 2):
        version = make_tiny_onnx(layout.models(campaign.name), version=f"v{number}").name
        label_store.versions.add(campaign.campaign_id, version, number, NOW)
    loaded: list[weakref.ref[ImageModel]] = []
    for number in range(6):
        server.promote(campaign, f"v{1 + number % 2}", "test", lambda: NOW)
        loaded.append(weakref.ref(server.batcher(campaign)._predictor))
    gc.collect()
    assert [model() is not None for model in loaded] == [False] * 5 + [True]
    server.close()


@pytest.fixture
def served(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path
) -> Iterator[tuple[ModelServer, Campaign]]:
    """Three versions, the second of which serves after the first did."""
    layout, campaign = DataLayout(tmp_path / "data"), make_campaign("demo")
    server = ModelServer(label_store, layout)
    for number in (1, 2, 3):
        version = make_tiny_onnx(layout.models("demo"), version=f"v{number}", bias=float(number)).name
        label_store.versions.add(campaign.campaign_id, version, number, NOW)
        if number < 3:
            server.promote(campaign, version, "better", lambda: NOW, person=False)
    yield server, campaign
    server.close()


def serving(store: LabelStore, server: ModelServer, campaign: Campaign) -> set[str | None]:
    """What store, registry and memory say serves: one thing."""
    return {
        store.campaigns.get("demo").current_version,
        server.registry(campaign).current(),
        server.serving_version(campaign),
    }


def spoil(server: ModelServer, campaign: Campaign, version: str) -> None:
    file = server.registry(campaign).path(version) / "model.onnx"
    file.chmod(0o644)
    file.write_bytes(b"no model")


def test_aliases_name_the_versions_of_this_moment(
    label_store: LabelStore, served: tuple[ModelServer, Campaign]
) -> None:
    server, campaign = served
    assert server.resolve(campaign, "champion") == "v2"
    assert server.resolve(campaign, "v1") == "v1"
    with pytest.raises(NotFoundError, match="no version waits"):
        server.promote(campaign, "challenger", "test", lambda: NOW)
    label_store.rounds.create(campaign.campaign_id, reason="ops", now=NOW)
    label_store.gate.propose(
        campaign.campaign_id,
        Challenger(version="v3", round_number=1, mode="ask", since=NOW, state="waiting", reason="better"),
    )
    assert server.promote(campaign, "challenger", "test", lambda: NOW)
    assert serving(label_store, server, campaign) == {"v3"}


def test_rollback_goes_to_the_version_before_and_is_not_undone_by_the_service(
    label_store: LabelStore, served: tuple[ModelServer, Campaign], tmp_path: Path
) -> None:
    server, campaign = served
    assert server.roll_back(campaign, "v2 misses clouds", lambda: NOW) == "v1"
    assert serving(label_store, server, campaign) == {"v1"}
    with pytest.raises(ConflictError, match="rolled back"):
        server.promote(campaign, "v2", "round 3", lambda: NOW, person=False)
    with pytest.raises(ConflictError, match="nothing that served before v1"):
        server.roll_back(campaign, "again", lambda: NOW)
    spoil(server, campaign, "v1")
    after = ModelServer(label_store, DataLayout(tmp_path / "data"))
    after.start(NOW)
    assert after.serving_version(campaign) is None, "it does not fall back to what was taken back"
    assert server.promote(campaign, "v2", "it was better after all", lambda: NOW)
    assert serving(label_store, server, campaign) == {"v2"}


def test_rollback_passes_over_versions_that_cannot_be_served(
    label_store: LabelStore, served: tuple[ModelServer, Campaign]
) -> None:
    server, campaign = served
    server.promote(campaign, "v3", "better", lambda: NOW, person=False)
    spoil(server, campaign, "v2")
    assert server.roll_back(campaign, "worse", lambda: NOW) == "v1"
    problems = {entry.version: entry.problem for entry in label_store.versions.list(campaign.campaign_id)}
    assert "does not match its digest" in str(problems["v2"])


def test_corrupt_version_is_refused_and_nothing_changes(
    label_store: LabelStore, served: tuple[ModelServer, Campaign]
) -> None:
    server, campaign = served
    spoil(server, campaign, "v3")
    before = label_store.versions.promotions(campaign.campaign_id)
    with pytest.raises(CorruptVersionError):
        server.promote(campaign, "v3", "test", lambda: NOW, force=True)
    assert serving(label_store, server, campaign) == {"v2"}
    assert label_store.versions.promotions(campaign.campaign_id) == before


def test_rejected_version_is_promoted_only_with_force(
    label_store: LabelStore, served: tuple[ModelServer, Campaign]
) -> None:
    server, campaign = served
    assert server.reject(campaign, "v3", "shadows are no water", lambda: NOW) == "v3"
    for person in (True, False):
        with pytest.raises(RejectedVersionError, match="shadows are no water"):
            server.promote(campaign, "v3", "test", lambda: NOW, person=person, force=not person)
    assert server.promote(campaign, "v3", "test", lambda: NOW, force=True)
    assert serving(label_store, server, campaign) == {"v3"}
    with pytest.raises(ConflictError, match="v3 serves"):
        server.reject(campaign, "champion", "test", lambda: NOW)


def test_version_that_serves_already_is_not_promoted_again(
    label_store: LabelStore, served: tuple[ModelServer, Campaign]
) -> None:
    server, campaign = served
    assert not server.promote(campaign, "v2", "again", lambda: NOW)
    assert len(label_store.versions.promotions(campaign.campaign_id)) == 2


def test_promotions_at_once_leave_one_version_in_store_registry_and_memory(
    label_store: LabelStore, served: tuple[ModelServer, Campaign]
) -> None:
    server, campaign = served
    for _ in range(5):
        with ThreadPoolExecutor(8) as pool:
            asked = [f"v{1 + number % 3}" for number in range(12)]
            done = list(pool.map(lambda version: server.promote(campaign, version, "test", lambda: NOW), asked))
        (now,) = serving(label_store, server, campaign)
        history = label_store.versions.promotions(campaign.campaign_id)
        assert history[-1].version == now
        assert any(done)
    assert all(entry.previous == before.version for before, entry in pairwise(history)), "no promotion was lost"
