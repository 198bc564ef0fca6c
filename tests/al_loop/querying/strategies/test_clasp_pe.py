"""CLASP-PE serves rare predicted classes, with noise that fades."""

import numpy as np
import pytest

from al_loop.querying.strategies import (
    ClaspPE,
    Entropy,
)
from al_loop.scoring.pool_scores import Candidates
from tests.al_loop.querying.strategies.pools import classified, rng


def test_clasp_pe_serves_rare_predicted_classes_of_a_classification():
    """One sample in fifty is predicted as each rare class, and none is among the most uncertain."""
    probabilities = np.tile([[0.55, 0.25, 0.2]], (150, 1))
    probabilities[[7, 80, 120]] = [0.05, 0.9, 0.05]
    probabilities[[30, 60, 90]] = [0.05, 0.05, 0.9]
    selection = ClaspPE().select(classified(probabilities), 9, rng())
    counts = np.bincount(probabilities[selection.indices].argmax(axis=1), minlength=3)
    assert counts.tolist() == [3, 3, 3]
    assert len(set(Entropy().select(classified(probabilities), 9, rng()).indices) & {7, 80, 120, 30, 60, 90}) == 0


def segmented(strata: np.ndarray, labelled: int = 0) -> Candidates:
    return Candidates(
        sample_ids=np.arange(len(strata)),
        scores={"entropy": np.random.default_rng(0).random(len(strata)).astype(np.float32)},
        stratum_table=np.asarray(strata, np.float32),
        score_rows=np.arange(len(strata)),
        labelled_count=labelled,
    )


def test_clasp_pe_serves_rare_predicted_classes_of_a_segmentation():
    """Background everywhere, class 1 in half, class 2 in four samples only; a sample is asked about once."""
    strata = np.random.default_rng(0).random((200, 3)) + 0.1
    strata[::2, 1] = np.nan
    rare = [10, 50, 90, 130]
    strata[np.setdiff1d(np.arange(200), rare), 2] = np.nan
    selection = ClaspPE().select(segmented(strata), 12, rng())
    assert set(rare) <= set(selection.indices.tolist())
    assert len(set(selection.indices.tolist())) == 12
    named = [reason.split(":")[0] for reason in selection.reasons]
    counts = [named.count(f"uncertain among regions predicted as class {what}") for what in ("number 1", "number 2")]
    assert counts == [4, 4]
    assert named.count("uncertain among regions predicted as class number 0") == 4


def test_clasp_pe_noise_fades_with_labels():
    strata = np.linspace(0.2, 1.0, 300)[:, None]
    early, late = (ClaspPE().select(segmented(strata, labelled), 10, rng()).indices for labelled in (0, 10_000))
    assert set(late) <= set(range(260, 300))
    assert len(set(early) - set(range(260, 300))) > 3


def test_clasp_pe_schedule_is_logarithmic_between_its_ends():
    strategy = ClaspPE(first_beta=1, last_beta=100, schedule_labels=200)
    assert [strategy.beta(labels) for labels in (0, 100, 200, 5000)] == pytest.approx([1, 10, 100, 100])


def test_clasp_pe_fills_up_with_samples_without_any_class():
    strata = np.full((6, 2), np.nan)
    strata[2, 0] = 0.5
    selection = ClaspPE().select(segmented(strata), 4, rng())
    assert selection.indices[0] == 2
    assert selection.reasons[1:] == ["no class predicted: random"] * 3
