"""Strings under fields are read from the source, inherited ones included."""

from al_loop.client.answers import CampaignView, NoBatch, RoundView
from al_loop.domain.rounds import Round
from service.openapi.docstrings import classes_by_name, field_docstrings, summary


def test_string_under_a_field_is_its_description_on_one_line() -> None:
    assert field_docstrings(CampaignView)["notices"].startswith("What an operator should know: versions that cannot")
    assert "\n" not in field_docstrings(CampaignView)["notices"]
    assert "name" not in field_docstrings(CampaignView)


def test_fields_of_bases_are_described_too() -> None:
    assert field_docstrings(Round).items() <= field_docstrings(RoundView).items()
    assert "progress" in field_docstrings(RoundView)


def test_summary_is_the_first_paragraph_of_the_docstring_that_a_class_has_itself() -> None:
    assert summary(NoBatch) == "Why there is nothing to make a batch of."
    assert summary(type("Undescribed", (NoBatch,), {})) == ""


def test_classes_are_found_by_name_where_they_are_defined() -> None:
    assert classes_by_name()["RoundView"] is RoundView
    assert "Any" not in classes_by_name()
