"""Real files and a real store: what pruning removes, what stays, and what a kill in the middle leaves."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.retention import Retention
from al_loop.domain.rounds import RoundState
from al_loop.errors import ConflictError
from al_loop.serving.model_server import ModelServer
from al_loop.store import LabelStore
from al_loop.training.retention.pruner import Pruner, size
from models.card import ModelCard
from models.registry import ModelRegistry
from tests.al_loop.store.fixtures import NOW


class Kept:
    """A campaign with five rounds, each with a version; the first served, the second serves."""

    def __init__(self, store: LabelStore, campaign: Campaign, root: Path, card: ModelCard, staged: Path) -> None:
        self.store, self.layout = store, DataLayout(root)
        self.number, self.name = campaign.campaign_id, campaign.name
        self.registry = ModelRegistry(self.layout.models(campaign.folder))
        policy = msgspec.structs.replace(campaign.policy, retention=Retention(rounds=2, versions=2, encoders=2))
        store.campaigns.set_policy(self.number, policy, NOW)
        for number in range(1, 6):
            version = f"v{number}"
            store.rounds.create(self.number, reason="ops", now=NOW)
            store.rounds.set_state(self.number, number, RoundState.REJECTED, NOW, version=version)
            self.registry.publish(version, staged, msgspec.structs.replace(card, version=version, digests={}))
            (self.registry.path(version) / "weights.safetensors").write_bytes(bytes(1000))
            store.versions.add(self.number, version, number, NOW)
            for part, content in (("snapshot/manifest.json", b"{}"), ("snapshot/samples.parquet", bytes(500))):
                path = self.layout.round(campaign.folder, number) / part
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            scores = self.layout.scores(campaign.folder) / version / "part-1"
            scores.mkdir(parents=True)
            (scores / "embeddings.npy").write_bytes(bytes(300))
        for version in ("v1", "v2"):
            store.versions.promote(self.number, version, reason="ops", now=NOW)
        self.pruner = Pruner(store, self.layout, lambda: NOW)

    @property
    def campaign(self) -> Campaign:
        return self.store.campaigns.get(self.name)

    def weights(self) -> list[str]:
        folders = sorted(self.registry.root.glob("v*"))
        return [folder.name for folder in folders if (folder / "weights.safetensors").exists()]


@pytest.fixture
def kept(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tiny_registry: ModelRegistry, tmp_path: Path
) -> Kept:
    return Kept(label_store, make_campaign(), tmp_path / "data", tiny_registry.card("v1"), tmp_path / "staged-v1")


def test_dry_run_says_what_would_go_and_removes_nothing(kept: Kept) -> None:
    before = size([kept.layout.root])
    report = kept.pruner.prune(kept.campaign, dry_run=True)
    found = {(item.kind, item.name): item.bytes for item in report.items}
    assert found[("version", "v3")] >= 1000
    assert found[("round", "3")] == 500
    assert {name for kind, name in found if kind == "scores"} == {"v3", "v4", "v5"}
    assert ("round", "1") not in found  # of a version that stays
    assert report.bytes == sum(found.values())
    assert report.sentence.endswith("MB would go: 1 version, 1 round, scores by 3 versions")
    assert size([kept.layout.root]) == before


def test_pruning_removes_what_the_dry_run_said_and_keeps_cards_and_rows(kept: Kept) -> None:
    before, told = size([kept.layout.root]), kept.pruner.prune(kept.campaign, dry_run=True)
    report = kept.pruner.prune(kept.campaign)
    assert report.items == told.items
    assert before - size([kept.layout.root]) == report.bytes
    assert kept.weights() == ["v1", "v2", "v4", "v5"]
    assert kept.registry.card("v3").version == "v3"
    assert (kept.layout.round(kept.campaign.folder, 3) / "snapshot/manifest.json").exists()
    assert [entry.number for entry in kept.store.rounds.list(kept.number)] == [1, 2, 3, 4, 5]
    assert [entry.pruned_at is not None for entry in kept.store.versions.list(kept.number)] == [0, 0, 1, 0, 0]
    assert kept.pruner.prune(kept.campaign).items == []


def test_pruned_version_cannot_serve_or_be_pinned_and_says_why(kept: Kept) -> None:
    kept.pruner.prune(kept.campaign)
    server = ModelServer(kept.store, kept.layout)
    with pytest.raises(ConflictError, match=r"the files of v3 were pruned on .* by the policy's retention"):
        server.promote(kept.campaign, "v3", "ops", lambda: NOW)
    with pytest.raises(ConflictError, match="pruned"):
        kept.store.versions.promote(kept.number, "v3", reason="ops", now=NOW)  # pruned while it was loaded
    with pytest.raises(ConflictError, match="pruned"):
        kept.store.versions.set_pinned(kept.number, "v3", NOW)


def test_pinned_version_stays_until_it_is_let_go(kept: Kept) -> None:
    assert kept.store.versions.set_pinned(kept.number, "v3", NOW).pinned_at == NOW
    kept.pruner.prune(kept.campaign)
    assert "v3" in kept.weights()
    with pytest.raises(ConflictError, match="is pinned"):
        kept.store.versions.mark_pruned(kept.number, "v3", NOW)
    kept.store.versions.set_pinned(kept.number, "v3", None)
    kept.pruner.prune(kept.campaign)
    assert "v3" not in kept.weights()


def test_version_that_began_to_serve_meanwhile_stays(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = kept.store.versions.mark_pruned

    def promoted_first(campaign_id: int, version: str, now: object) -> None:
        kept.store.versions.promote(campaign_id, version, reason="ops", now=NOW)
        mark(campaign_id, version, NOW)

    monkeypatch.setattr(kept.store.versions, "mark_pruned", promoted_first)
    report = kept.pruner.prune(kept.campaign)
    assert "version" not in {item.kind for item in report.items}
    assert "v3" in kept.weights()


def test_files_that_a_kill_left_go_the_next_time(kept: Kept) -> None:
    kept.store.versions.mark_pruned(kept.number, "v3", NOW)  # and no further
    assert "v3" in kept.weights()
    kept.pruner.prune(kept.campaign)
    assert "v3" not in kept.weights()


def test_look_prunes_once_after_each_round(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    prune = kept.pruner.prune
    monkeypatch.setattr(kept.pruner, "prune", lambda campaign: (calls.append(1), prune(campaign)))
    kept.pruner.look(kept.campaign)
    kept.pruner.look(kept.campaign)
    assert (calls, kept.weights()) == ([1], ["v1", "v2", "v4", "v5"])
    kept.store.rounds.create(kept.number, reason="ops", now=NOW)
    kept.store.rounds.set_state(kept.number, 6, RoundState.FAILED, NOW)
    (kept.layout.round(kept.campaign.folder, 6) / "checkpoint").mkdir(parents=True)
    kept.pruner.look(kept.campaign)
    assert calls == [1, 1]
    assert not (kept.layout.round(kept.campaign.folder, 6) / "checkpoint").exists()


def test_changed_retention_can_be_tried_before_anything_goes(kept: Kept) -> None:
    changed = kept.campaign
    more = msgspec.structs.replace(changed.policy, retention=Retention())
    kept.pruner.look(msgspec.structs.replace(changed, policy=more))
    kept.pruner.look(changed)
    assert kept.weights() == ["v1", "v2", "v3", "v4", "v5"]
    assert "v3" in [item.name for item in kept.pruner.prune(changed, dry_run=True).items]
    kept.store.rounds.create(kept.number, reason="ops", now=NOW)
    kept.store.rounds.set_state(kept.number, 6, RoundState.FAILED, NOW)
    kept.pruner.look(changed)
    assert kept.weights() == ["v1", "v2", "v4", "v5"]


def test_file_with_another_name_elsewhere_frees_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_bytes(bytes(100))
    (tmp_path / "two").hardlink_to(tmp_path / "a" / "one")
    assert size([tmp_path / "a"]) == 0
    assert size([tmp_path / "a", tmp_path / "two"]) == 100
