"""Which candidate of a run is the version."""

from models.training.ladder import choose


def test_best_candidate_on_held_out_labels_wins() -> None:
    assert choose({"quick": {"classification": 0.8}, "deep": {"classification": 0.9}})[0] == "deep"
    assert choose({"quick": {"classification": 0.9}, "deep": {"classification": 0.9}})[0] == "quick"
    assert choose({"quick": {"classification": 0.1}, "deep": {"classification": None}})[0] == "quick"
