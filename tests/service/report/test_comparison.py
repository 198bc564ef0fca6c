"""A comparison as one HTML document."""

import base64
from datetime import timedelta

import msgspec

from al_loop.domain.comparisons import ComparisonRequest, ComparisonState, ModelComparison
from service.report.comparison import render_comparison
from tests.al_loop.store.fixtures import NOW
from tests.al_loop.training.comparison.results import RESULT

ENTRY = ModelComparison(
    number=3, request=ComparisonRequest(seeds=2), state=ComparisonState.FINISHED, requested_at=NOW, started_at=NOW,
    ended_at=NOW + timedelta(minutes=90), result=RESULT, error=None,
)  # fmt: skip


def page(**changes: object) -> str:
    result = msgspec.structs.replace(RESULT, **changes)
    return render_comparison("a & b", ENTRY, result, b"a picture")


def test_document_stands_alone_and_shows_what_was_typed_as_text() -> None:
    html = page()
    assert "<h1>a &amp; b, comparison 3</h1>" in html
    assert "<li>Classification: the joint model is better.</li>" in html
    assert "One &lt;seed&gt; says little." in html
    assert "01 March 2026, 13:30 UTC" in html
    assert "recipe with 2 seeds" in html
    assert base64.b64encode(b"a picture").decode() in html
    assert "<script" not in html
    assert 'href="' not in html


def test_qualities_have_their_seeds_and_interval() -> None:
    html = page()
    assert "<td>0.750 <small>0.800, 0.700</small></td><td>0.780 <small>0.820, 0.740</small></td>" in html
    assert "<td>+3.0 <small>+1.0 to +5.0</small></td>" in html
    assert "no interval" in html
    assert "<td>balanced accuracy</td><td>1,234</td>" in html
    assert "Nothing was measured" in page(tasks=[])


def test_costs_that_are_not_known_are_dashes() -> None:
    html = page()
    assert "<td>joint: classification, segmentation</td>" in html
    assert "<td>2.5 s</td><td>812 MB</td><td>3.25 MB</td><td>1.5 ms</td><td>20.0 ms</td><td>–</td>" in html
    assert "<td><strong>0.50</strong></td><td></td><td><strong>0.52</strong></td>" in html
    assert "5 of 60 training images have labels for all" in html
