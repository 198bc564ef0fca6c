"""The front matter of EOTDL."""

import pytest
import yaml

from al_loop.campaigns.exporting.dataset_readme import Attribution, check_attribution, readme
from al_loop.errors import InvalidValueError


def front_matter(text: str) -> dict[str, object]:
    _, front, _ = text.split("---\n", 2)
    found: dict[str, object] = yaml.safe_load(front)
    return found


def test_front_matter_has_what_the_client_asks_for() -> None:
    said = Attribution(authors=('A: "B" #c', "D"), licence="CC-BY-4.0", source="https://example.org/x")
    assert front_matter(readme("fields", "datasets", said, "# Fields")) == {
        "name": "fields", "license": "CC-BY-4.0", "source": "https://example.org/x", "authors": ['A: "B" #c', "D"],
    }  # fmt: skip


def test_front_matter_is_complete_where_nothing_is_said() -> None:
    found = front_matter(readme("fields", "models", Attribution(), "text"))
    assert str(found["source"]).startswith("https://www.eotdl.com/models/fields")
    assert found["authors"]


def test_source_that_is_no_address_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="http"):
        check_attribution(Attribution(source="my disk"))
