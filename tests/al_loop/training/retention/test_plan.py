"""What goes and what stays, from histories of rounds. No file is looked at."""

from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from al_loop.domain.retention import Retention
from al_loop.domain.rounds import ModelVersion, Promotion, Round, RoundState
from al_loop.training.retention.plan import PrunePlan, plan_pruning
from models.card import Evaluation, TaskEvaluation
from tests.al_loop.store.fixtures import NOW


def turn(number: int, value: float, state: RoundState = RoundState.PROMOTED) -> Round:
    measured = TaskEvaluation(
        task="classification", metric="accuracy", value=value, low=0, high=1, baseline=0.5, samples=9, per_class={},
        expected_calibration_error=0,
    )  # fmt: skip
    return Round(
        number=number, state=state, reason="ops", requested_at=NOW, started_at=NOW, ended_at=NOW, version=f"v{number}",
        labels=9, reserve_labels=9, label_event_id=9, manifest_sha256="", evaluation=Evaluation(candidate=[measured]),
        verdict=None, error=None,
    )  # fmt: skip


def model(number: int, *, current: bool = False, pinned: bool = False, pruned: bool = False) -> ModelVersion:
    return ModelVersion(
        version=f"v{number}", round_number=number, created_at=NOW, promoted_at=None, current=current, problem=None,
        pinned_at=NOW if pinned else None, pruned_at=NOW if pruned else None,
    )  # fmt: skip


def served(*numbers: int) -> list[Promotion]:
    return [
        Promotion(version=f"v{new}", previous=None if old is None else f"v{old}", reason="", promoted_at=NOW)
        for old, new in zip((None, *numbers), numbers, strict=False)
    ]


RETENTION = Retention(rounds=2, versions=2, encoders=2)


def plan(**changes: object) -> PrunePlan:
    given_ = {
        "retention": RETENTION,
        "rounds": [turn(number, 0.9 if number == 2 else 0.5 + number / 100) for number in range(1, 9)],
        "versions": [model(number, current=number == 5, pinned=number == 1) for number in range(1, 9)],
        "promotions": served(2, 4, 5),
        "encoders": [],
        "scored": [],
    }
    return plan_pruning(**(given_ | changes))  # type: ignore[arg-type]


def test_what_serves_served_before_is_pinned_best_or_recent_stays() -> None:
    found = plan()
    assert {entry.version: entry.why for entry in found.kept} == {
        "v1": ["pinned"], "v2": ["best"], "v4": ["served before"], "v5": ["serves"], "v7": ["recent"], "v8": ["recent"],
    }  # fmt: skip
    assert found.versions == ["v3", "v6"]
    assert found.rounds == [3, 6]  # those of versions that stay stay, too


def test_rolled_back_version_served_before_the_one_that_was_rolled_back_to() -> None:
    found = plan(promotions=served(3, 6, 5))
    assert {"v5": ["serves"], "v6": ["served before"]}.items() <= {e.version: e.why for e in found.kept}.items()


def test_scores_of_versions_that_do_not_serve_go_and_those_of_no_version_stay() -> None:
    found = plan(
        scored=["features", "imagenet-1", "v1", "v4", "v5", "v6", "ssl-1", "ssl-2"], encoders=["ssl-1", "ssl-2"]
    )
    assert found.scores == ["ssl-1", "v1", "v6"]


def test_only_the_newest_encoders_stay() -> None:
    assert plan(encoders=["ssl-1", "ssl-2", "ssl-10"]).encoders == ["ssl-1"]


def test_nothing_goes_that_runs_or_where_all_is_kept() -> None:
    rounds = [turn(number, 0.5, RoundState.GATE if number == 3 else RoundState.REJECTED) for number in range(1, 9)]
    found = plan(rounds=rounds)
    assert "v3" not in found.versions
    assert 3 not in found.rounds
    everything = Retention(rounds=None, versions=None, encoders=None)
    found = plan(retention=everything, encoders=["ssl-1", "ssl-2", "ssl-3"])
    assert (found.versions, found.rounds, found.encoders) == ([], [], [])


def test_pruned_versions_are_not_pruned_again() -> None:
    versions = [model(number, current=number == 5, pruned=number in (3, 6)) for number in range(1, 9)]
    assert plan(versions=versions).versions == ["v1"]  # not pinned here


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=30),
    st.data(),
    st.integers(2, 10),
)
def test_plan_never_takes_what_serves_served_before_or_is_pinned(
    values: list[float], data: st.DataObject, kept: int
) -> None:
    numbers = list(range(1, len(values) + 1))
    history = data.draw(st.lists(st.sampled_from(numbers), max_size=8))
    pinned = data.draw(st.sets(st.sampled_from(numbers)))
    current = history[-1] if history else None
    versions = [model(number, current=number == current, pinned=number in pinned) for number in numbers]
    rounds = [turn(number, value) for number, value in zip(numbers, values, strict=True)]
    found = plan_pruning(
        Retention(rounds=kept, versions=kept, encoders=2),
        rounds,
        versions,
        served(*history),
        [],
        [v.version for v in versions],
    )
    gone = set(found.versions)
    assert gone.isdisjoint(f"v{number}" for number in {*pinned, *numbers[-kept:]})
    assert f"v{current}" not in gone | set(found.scores)
    earlier = [number for number in history if number != current]
    if earlier and history[-2] != current:
        assert f"v{earlier[-1]}" not in gone | set(found.scores)
    assert gone | {entry.version for entry in found.kept} == {entry.version for entry in versions}
    again = [msgspec.structs.replace(v, pruned_at=NOW + timedelta(1)) if v.version in gone else v for v in versions]
    assert (
        plan_pruning(
            Retention(rounds=kept, versions=kept, encoders=2), rounds, again, served(*history), [], []
        ).versions
        == []
    )


def test_challenger_that_waits_for_the_last_word_stays() -> None:
    versions = [model(number, current=number == 5) for number in range(1, 9)]
    versions[2] = msgspec.structs.replace(versions[2], standing="challenger")
    found = plan(versions=versions)
    assert {entry.version: entry.why for entry in found.kept}["v3"] == ["challenger"]
    assert 3 not in found.rounds
