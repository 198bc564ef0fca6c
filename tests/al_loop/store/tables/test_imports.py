"""Importing again changes nothing that people did; a person's answer counts before an import's."""

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_loop.campaigns.labelling import record_counted
from al_loop.domain.campaigns import CampaignSettings, RetrainPolicy
from al_loop.domain.imports import ImportCounts
from al_loop.domain.labels import Label, LabelInput, LabelSource, counting
from al_loop.store import LabelStore
from models.card import TaskSpec
from tests.al_loop.store.fixtures import NOW, ONE_TASK, drawn_label, drawn_square, make_header, open_query
from tests.data.empty_store import lay_empty_store
from tests.data.examples import examples

CREATE: dict[str, Any] = {
    "tasks": ONE_TASK, "root": "/", "bands": None, "settings": CampaignSettings(), "policy": RetrainPolicy(),
    "now": NOW,
}  # fmt: skip
SEGMENTS = [TaskSpec(task="segmentation", classes=["field", "water"])]
Give = Callable[..., ImportCounts | None]


@pytest.fixture
def give(label_store: LabelStore) -> Give:
    """Record a classification of sample 1 in a campaign of one sample; each one a second later."""
    campaign = label_store.campaigns.create(name="land", **CREATE)
    label_store.samples.register(campaign.campaign_id, [make_header("a.tif")], NOW)
    clock = iter(range(1000))

    def record(annotator: str, *classes: str, source: LabelSource = "person") -> ImportCounts | None:
        label = LabelInput(path="a.tif", task="classification", annotator=annotator, classes=[*classes], source=source)
        return record_counted(label_store, campaign, [label], NOW + timedelta(seconds=next(clock))).imported

    return record


def answer(store: LabelStore) -> tuple[str, list[str] | None]:
    """Who gave the answer that counts, and what it is, by the rule in Python; SQL must say the same."""
    current = store.labels.current(1)
    label = counting(current)[1]["classification"]
    assert [entry.label.label_id for entry in store.relabels.answers(1, "classification")] == [label.label_id]
    assert store.labels.class_counts(1, "classification") == dict.fromkeys(label.classes or [], 1)
    return label.annotator, label.classes


def events(store: LabelStore) -> list[Label]:
    return store.labels.history(1, 1)


def test_unchanged_label_of_an_import_is_no_new_event(give: Give, label_store: LabelStore) -> None:
    assert give("import", "forest", source="import") == ImportCounts(recorded=1)
    assert give("import", "forest", source="import") == ImportCounts(unchanged=1)
    assert give("import", "water", source="import") == ImportCounts(recorded=1)
    assert [label.classes for label in events(label_store)] == [["forest"], ["water"]]


def test_repeated_label_of_a_person_is_an_event_of_its_own(give: Give, label_store: LabelStore) -> None:
    assert [give("anna", "forest"), give("anna", "forest")] == [None, None]
    assert len(events(label_store)) == 2


def test_correction_of_a_person_counts_after_the_same_import_and_after_a_changed_one(
    give: Give, label_store: LabelStore
) -> None:
    give("import", "forest", source="import")
    give("anna", "water")
    assert give("import", "forest", source="import") == ImportCounts(unchanged=1, outranked=1)
    assert give("import", "urban", source="import") == ImportCounts(recorded=1, outranked=1)
    assert answer(label_store) == ("anna", ["water"])


def test_first_import_does_not_count_where_a_person_answered_before(give: Give, label_store: LabelStore) -> None:
    give("anna", "water")
    assert give("import", "forest", source="import") == ImportCounts(recorded=1, outranked=1)
    assert answer(label_store) == ("anna", ["water"])


def test_import_that_overwrites_counts_until_a_person_answers_again(give: Give, label_store: LabelStore) -> None:
    give("import", "forest", source="import")
    give("anna", "water")
    give("ben", "urban")
    assert give("import", "forest", source="overwrite") == ImportCounts(recorded=1, overruled=2)
    assert answer(label_store) == ("import", ["forest"])
    assert give("import", "forest", source="overwrite") == ImportCounts(unchanged=1)
    assert give("import", "water", source="import") == ImportCounts(recorded=1)
    assert answer(label_store) == ("import", ["water"])
    give("anna", "urban")
    assert give("import", "water", source="import") == ImportCounts(unchanged=1, outranked=1)
    assert answer(label_store) == ("anna", ["urban"])


def test_import_under_a_persons_name_leaves_what_that_person_corrected(give: Give, label_store: LabelStore) -> None:
    give("anna", "forest", source="import")
    give("anna", "water")
    assert give("anna", "forest", source="import") == ImportCounts(kept=1)
    assert answer(label_store) == ("anna", ["water"])
    assert give("anna", "forest", source="overwrite") == ImportCounts(recorded=1, overruled=1)
    assert answer(label_store) == ("anna", ["forest"])


def test_label_that_was_retracted_is_not_imported_again(give: Give, label_store: LabelStore) -> None:
    give("import", "forest", source="import")
    label_store.labels.retract(1, 1, annotator=None, now=NOW)
    assert give("import", "forest", source="import") == ImportCounts(kept=1)
    assert label_store.labels.current(1) == []
    assert give("import", "water", source="import") == ImportCounts(recorded=1)
    assert answer(label_store) == ("import", ["water"])


def test_label_of_the_importers_name_is_an_imports_without_saying_so(give: Give, label_store: LabelStore) -> None:
    assert give("import", "forest") == ImportCounts(recorded=1)
    give("anna", "water")
    give("import", "urban")
    assert answer(label_store) == ("anna", ["water"])


def test_unchanged_label_is_not_refused_where_the_sample_is_leased_to_another(
    give: Give, label_store: LabelStore
) -> None:
    give("import", "forest", source="import")
    open_query(label_store, 1, "anna", [1])
    assert give("import", "forest", source="import") == ImportCounts(unchanged=1)


def test_same_polygons_are_no_new_event(label_store: LabelStore) -> None:
    campaign = label_store.campaigns.create(name="land", **{**CREATE, "tasks": SEGMENTS})
    label_store.samples.register(campaign.campaign_id, [make_header("a.tif")], NOW)
    counts = [
        record_counted(label_store, campaign, [drawn_label(drawn_square("water", 1, 1, size), source="import")], NOW)
        for size in (4, 4, 5)
    ]
    assert [entry.imported for entry in counts] == [
        ImportCounts(recorded=1), ImportCounts(unchanged=1), ImportCounts(recorded=1),
    ]  # fmt: skip


def test_labels_of_one_request_are_decided_in_their_order(label_store: LabelStore) -> None:
    campaign = label_store.campaigns.create(name="land", **CREATE)
    label_store.samples.register(campaign.campaign_id, [make_header("a.tif"), make_header("b.tif")], NOW)
    fields = {"task": "classification", "classes": ["water"]}
    record_counted(label_store, campaign, [LabelInput(path="b.tif", annotator="import", **fields)], NOW)
    sent = [
        LabelInput(path="b.tif", annotator="import", **fields),
        LabelInput(path="a.tif", annotator="anna", **fields),
        LabelInput(path="a.tif", annotator="import", **fields),
    ]
    appended = record_counted(label_store, campaign, sent, NOW)
    assert [label.label_id for label in appended.labels] == [1, 2, 3]
    assert [label.label_id for label in appended.new] == [2, 3]
    assert appended.imported == ImportCounts(recorded=1, unchanged=1, outranked=1)


STEP = st.tuples(
    st.sampled_from(["import", "anna", "ben"]), st.sampled_from(["forest", "water"]),
    st.sampled_from(["person", "import", "overwrite", "retract"]),
)  # fmt: skip


@settings(max_examples=examples(25))
@given(steps=st.lists(STEP, max_size=12))
def test_importing_twice_is_importing_once_and_sql_agrees_with_python(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, LabelSource | Literal["retract"]]]
) -> None:
    with closing(LabelStore.open(lay_empty_store(tmp_path_factory.mktemp("store") / "al-loop.duckdb"))) as store:
        campaign = store.campaigns.create(name="land", **CREATE)
        store.samples.register(campaign.campaign_id, [make_header("a.tif")], NOW)
        for annotator, name, source in steps:
            if source == "retract":
                for label in store.labels.current(1, annotator=annotator):
                    store.labels.retract(1, label.label_id, annotator=annotator, now=NOW)
                continue
            label = LabelInput(path="a.tif", task="classification", annotator=annotator, classes=[name], source=source)
            record_counted(store, campaign, [label], NOW)
            before = events(store)
            if source != "person":
                record_counted(store, campaign, [label], NOW)
                assert events(store) == before
            if source == "overwrite":
                assert answer(store) == (annotator, [name])
            elif store.labels.current(1):
                answer(store)
