"""What people are told while a pool is described."""

import pytest

from al_loop.domain.scoring_pace import ScoringPace


def test_sentence_counts_images_and_tells_the_time_that_is_left() -> None:
    times = iter([100.0, 101.0, 130.0])
    pace = ScoringPace("imagenet-1", 2_000, 8_000, lambda: next(times))
    early = pace.at(50)
    assert (early.done, early.total, early.seconds_left) == (2_050, 10_000, None)
    assert early.sentence == "2,050 of 10,000 images described by imagenet-1"
    later = pace.at(1_000)
    assert later.seconds_left == pytest.approx(210)
    assert later.sentence == "3,000 of 10,000 images described by imagenet-1, about 4 min left"


def test_second_pass_over_the_same_images_takes_nothing_back() -> None:
    pace = ScoringPace("features", 0, 100)
    pace.at(100)
    assert pace.at(3).done == 100
