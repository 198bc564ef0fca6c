import pytest

from al_loop.domain.imports import ImportCounts
from al_loop.domain.samples import SkippedPath
from service.commands.import_report import ImportReport, skipped_lines

REFUSED = [SkippedPath(path="a.tif", reason="label refused: no")]


@pytest.mark.parametrize(
    ("report", "nothing"),
    [
        (ImportReport(), True),
        (ImportReport(new_samples=1), False),
        (ImportReport(known_samples=1, sent=1, refused=REFUSED), True),
        (ImportReport(known_samples=2, sent=2, refused=REFUSED), False),
    ],
)
def test_import_came_to_nothing_where_no_image_or_no_label_is_in(report: ImportReport, nothing: bool) -> None:
    assert report.came_to_nothing is nothing


def test_counts_of_requests_add_up() -> None:
    report = ImportReport()
    report.add(ImportCounts(recorded=2, unchanged=1, kept=1, outranked=1, overruled=3))
    report.add(ImportCounts(recorded=1))
    assert report.counts == ImportCounts(recorded=3, unchanged=1, kept=1, outranked=1, overruled=3)


def test_reasons_are_counted_with_an_example_each() -> None:
    lines = skipped_lines([*REFUSED, *REFUSED, *(SkippedPath(path="b", reason=f"r{n}") for n in range(12))])
    assert lines[0] == "  skipped 2: label refused: no (for example a.tif)"
    assert lines[-1] == "  and 3 other reasons"
