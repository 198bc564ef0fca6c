"""The program that runs what a stranger exported is bounded, whatever the campaign allows."""

from pathlib import Path

from al_loop.domain.round_limits import RoundLimits
from al_loop.training.running.added_model import (
    MOST_MEMORY_MB,
    MOST_S,
    MOST_STALLED_S,
    AddedFiles,
    add_program,
)


def test_graph_that_hangs_is_ended_and_lower_limits_of_the_campaign_hold(tmp_path: Path) -> None:
    root = tmp_path / "round"
    assert add_program(root, RoundLimits()) is None
    AddedFiles.keep(tmp_path, "m.onnx", b"x", b"{}", ask=False).move_to(root)
    found = add_program(root, RoundLimits())
    assert found is not None
    assert (found.limits.wall_s, found.limits.stalled_s, found.limits.memory_mb) == (
        MOST_S, MOST_STALLED_S, MOST_MEMORY_MB,
    )  # fmt: skip
    lower = add_program(root, RoundLimits(wall_s=100.0, stalled_s=60.0, memory_mb=1_000))
    assert lower is not None
    assert (lower.limits.wall_s, lower.limits.stalled_s, lower.limits.memory_mb) == (100.0, 60.0, 1_000)
    higher = add_program(root, RoundLimits(wall_s=1e5, stalled_s=5e3, memory_mb=100_000))
    assert higher is not None
    assert higher.limits.stalled_s == MOST_STALLED_S
