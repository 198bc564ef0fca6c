"""Tables and diagrams of a report."""

import pytest

from al_loop.domain.round_reports import Confusion
from service.report.charts import confusion_table


@pytest.mark.parametrize(("classes", "upright"), [(3, False), (10, True)])
def test_names_of_a_wide_matrix_are_written_upwards_so_that_no_column_is_cut(classes: int, upright: bool) -> None:
    names = [f"class {number}" for number in range(classes)]
    counts = [[int(row == column) for column in range(classes)] for row in range(classes)]
    table = confusion_table(Confusion(rows=names, columns=names, counts=counts))
    assert ('class="confusion upright"' in table) == upright
    assert table.count("<td") == classes**2
