import logging
from collections.abc import Callable
from datetime import timedelta

import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.store import LabelStore
from al_loop.store.tables.annotators import AnnotatorTable
from tests.al_loop.store.fixtures import NOW


def test_first_spelling_stands_for_all_others(label_store: LabelStore) -> None:
    table = label_store.annotators
    assert table.spelling_of("Jose\u0301 ") == "Jos\u00e9"
    assert {table.spelling_of(name) for name in ("jos\u00e9", "JOS\u00c9", "\tJose\u0301")} == {"Jos\u00e9"}
    assert table.spelling_of("joseph") == "joseph"
    assert table.spelling_of("Import") == "import"


def test_asking_about_a_name_is_not_using_it(label_store: LabelStore) -> None:
    assert label_store.annotators.known_spelling("ANNA") == "ANNA"
    assert label_store.annotators.spelling_of("anna") == "anna"
    assert label_store.annotators.known_spelling("ANNA") == "anna"


def test_people_of_an_older_directory_stay_apart(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], caplog: pytest.LogCaptureFixture
) -> None:
    number = make_campaign(samples=3).campaign_id
    for minutes, name in enumerate(["Anna", "anna", "bert"]):
        at = NOW + timedelta(minutes=minutes)
        label_store.comments.add(number, 1, annotator=name, text="haze", flag=False, now=at)
    with caplog.at_level(logging.WARNING):
        opened = AnnotatorTable(label_store._database)
    assert [opened.spelling_of(name) for name in ("anna", "Anna", "ANNA", "Bert")] == ["anna", "Anna", "Anna", "bert"]
    assert "'Anna' and 'anna'" in caplog.text
    assert "bert" not in caplog.text
