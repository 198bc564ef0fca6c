"""Cards as HTML and Markdown: what users typed is shown, and is never markup."""

from al_loop.domain.round_reports import Measured
from al_loop.domain.version_cards import CardBand, CardClass, CardTask, VersionCard
from service.report.card import card_html, card_markdown

NASTY = "<b>|`x`*"


def card() -> VersionCard:
    task = CardTask(
        task="classification", metric="accuracy", class_metric="recall", value=Measured(value=0.5, low=None, high=None),
        baseline=0.4, samples=2, places=1, calibration_error=0.1, temperature=1.0,
        classes=[CardClass(name=NASTY, training=3, reserve=None, value=None)], by_place=[],
    )  # fmt: skip
    return VersionCard(
        campaign="demo", version="v1", standing="it serves", created_at="2026-01-01T00:00:00Z",
        bands=[CardBand(number=1, kind=None, low=0.0, high=1.0, mean=0.5, std=0.1)], source_bands=1, nodata="None.",
        data=None, tasks=[task], model=[("encoder", NASTY)], lineage=[], sources=[], labels_as_of=None,
        licences=["None."], limits=["Many."], notices=["Damaged."],
    )  # fmt: skip


def test_names_of_users_are_never_markup() -> None:
    html, markdown = card_html(card()), card_markdown(card())
    assert NASTY not in html
    assert "&lt;b&gt;" in html
    assert "\\<b\\>\\|\\`x\\`\\*" in markdown
    rows = [line for line in markdown.splitlines() if line.startswith("| \\<b")]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 5


def test_what_is_wrong_stands_before_all_else() -> None:
    html, markdown = card_html(card()), card_markdown(card())
    for text in (html, markdown):
        assert text.index("Damaged.") < text.index("Many.") < text.index("accuracy")
    assert "<svg" not in html
    assert "not measured" in markdown
