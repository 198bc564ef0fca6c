from datetime import UTC, datetime
from typing import Any

from al_loop.campaigns.classes import former_names, without_retired
from al_loop.domain.campaigns import Campaign, CampaignSettings, ClassDetails, RetrainPolicy
from al_loop.domain.labels import Label
from models.card import TaskSpec

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def campaign(task: str, *, multi_label: bool = False, **details: Any) -> Campaign:
    spec = TaskSpec(task=task, classes=["water", "forest", "crops"], multi_label=multi_label)
    return Campaign(
        campaign_id=1, name="demo", tasks=[spec], root="/imagery", bands=None, source_bands=3,
        settings=CampaignSettings(), policy=RetrainPolicy(), created_at=NOW, current_version=None,
        class_details=(ClassDetails(task=task, name="water", **details),),
    )  # fmt: skip


def label(task: str, **answer: Any) -> Label:
    fields: dict[str, Any] = dict.fromkeys(Label.__struct_fields__) | {"label_id": 1, "sample_id": 1, "path": "a.tif"}
    return Label(**(fields | {"task": task, "annotator": "ann", "labelled_at": NOW, "recorded_at": NOW} | answer))


def test_sample_of_a_retired_class_only_is_not_trained() -> None:
    demo = campaign("classification", retired=True)
    assert without_retired(demo, label("classification", classes=["water"])) is None
    kept = label("classification", classes=["forest"])
    assert without_retired(demo, kept) == kept


def test_other_classes_of_a_sample_are_trained_and_none_of_them_is_an_answer() -> None:
    demo = campaign("classification", multi_label=True, retired=True)
    for given, trained in [(["water", "crops"], ["crops"]), (["water"], []), ([], [])]:
        seen = without_retired(demo, label("classification", classes=given))
        assert seen is not None
        assert seen.classes == trained


def test_area_of_a_retired_class_says_nothing() -> None:
    demo = campaign("segmentation", retired=True)
    parts = [{"type": "Feature", "properties": {"label": name}, "geometry": None} for name in ("water", "crops")]
    drawn = label("segmentation", features={"type": "FeatureCollection", "features": parts}, crs="pixel")
    seen = without_retired(demo, drawn)
    assert seen is not None
    assert seen.features is not None
    assert [part["properties"] for part in seen.features["features"]] == [
        {"label": None, "ignore": True}, {"label": "crops"},
    ]  # fmt: skip
    assert drawn.features is not None
    assert drawn.features["features"][0]["properties"] == {"label": "water"}


def test_former_names_lead_to_the_present_one() -> None:
    assert former_names(campaign("classification", formerly=("lake", "pond"))) == {
        "classification": {"lake": "water", "pond": "water"}
    }
