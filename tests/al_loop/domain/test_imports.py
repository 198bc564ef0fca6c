"""What becomes of one label of an import; the whole way through the store is in `tests/al_loop/store/tables`."""

import pytest

from al_loop.domain.imports import ImportDecision, PastAnswer, decide_import
from al_loop.domain.labels import CheckedLabel, LabelSource
from tests.al_loop.store.fixtures import NOW

WATER = (("water",), None, None)
FOREST = (("forest",), None, None)


def label(source: LabelSource) -> CheckedLabel:
    return CheckedLabel(
        campaign_id=1, sample_id=1, sample_path="a.tif", task="classification", annotator="import", classes=["water"],
        features=None, crs=None, override_lease=False, labelled_at=NOW, recorded_at=NOW, at="$", source=source,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("source", "past", "decision"),
    [
        ("import", {}, ImportDecision("recorded", "import")),
        ("import", {"import": PastAnswer(1, "import", False, WATER)}, ImportDecision("unchanged", "import")),
        ("import", {"import": PastAnswer(1, "import", False, FOREST)}, ImportDecision("recorded", "import")),
        ("import", {"import": PastAnswer(1, "import", True, WATER)}, ImportDecision("kept", "import")),
        ("import", {"import": PastAnswer(1, "import", True, FOREST)}, ImportDecision("recorded", "import")),
        ("import", {"import": PastAnswer(1, "person", False, FOREST)}, ImportDecision("kept", "person")),
        ("import", {"anna": PastAnswer(1, "person", True, FOREST)}, ImportDecision("recorded", "import")),
        ("import", {"anna": PastAnswer(1, "person", False, FOREST)}, ImportDecision("recorded", "import", True)),
        ("overwrite", {}, ImportDecision("recorded", "import")),
        (
            "overwrite", {"anna": PastAnswer(1, "person", False, FOREST)},
            ImportDecision("recorded", "overwrite", False, 1),
        ),
        ("overwrite", {"import": PastAnswer(1, "import", False, WATER)}, ImportDecision("unchanged", "import")),
    ],
)  # fmt: skip
def test_label_of_an_import_is_decided_by_what_is_on_record(
    source: LabelSource, past: dict[str, PastAnswer], decision: ImportDecision
) -> None:
    assert decide_import(label(source), WATER, past) == decision
