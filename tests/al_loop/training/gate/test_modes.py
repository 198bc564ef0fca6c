"""Rounds and who has the last word: real store, registry and server; training replays a real run."""

from typing import Any

import msgspec
import pytest

from al_loop.campaigns.notices import campaign_notices
from al_loop.domain.retraining import RetrainPolicy
from al_loop.domain.rounds import Round, RoundState
from tests.al_loop.store.fixtures import NOW
from tests.al_loop.training.fixtures import Service, cut


def set_policy(service: Service, **changes: Any) -> None:
    policy = msgspec.convert(msgspec.to_builtins(service.campaign.policy) | changes, RetrainPolicy)
    service.store.campaigns.set_policy(service.campaign.campaign_id, policy, NOW)


def notices(service: Service) -> str:
    return "\n".join(campaign_notices(service.store, service.campaign))


def waiting_round(service: Service) -> Round:
    """A first version that serves, and a second one that passed the gate."""
    assert service.run_round().state is RoundState.PROMOTED
    set_policy(service, promotion="ask")
    return service.run_round()


def test_candidate_waits_for_a_person_with_a_notice_and_is_promoted_in_one_call(service: Service) -> None:
    ended = waiting_round(service)
    assert (ended.state, ended.version, service.campaign.current_version) == (RoundState.CANDIDATE, "v2", "v1")
    assert "v2 passed the gate and waits for your decision" in notices(service)
    assert service.server.promote(service.campaign, "challenger", "looks well", lambda: NOW)
    assert service.campaign.current_version == "v2"
    assert service.store.rounds.get(service.campaign.campaign_id, 2).state is RoundState.PROMOTED
    assert "waits for" not in notices(service)


def test_rejected_candidate_serves_nobody_and_its_like_is_not_promoted_again(service: Service) -> None:
    waiting_round(service)
    service.server.reject(service.campaign, "challenger", "shadows are no water", lambda: NOW)
    assert service.store.rounds.get(service.campaign.campaign_id, 2).state is RoundState.REJECTED
    set_policy(service, promotion="automatic")
    again = service.run_round()  # the replayed training leaves the very same graph
    assert again.state is RoundState.REJECTED
    assert "the same model as v2, which was rejected (shadows are no water)" in str(again.verdict)
    assert service.campaign.current_version == "v1"


def test_asking_holds_for_the_first_model_too_and_shadow_cannot(service: Service) -> None:
    set_policy(service, promotion="ask")
    assert service.run_round().state is RoundState.CANDIDATE
    assert service.campaign.current_version is None
    service.server.reject(service.campaign, "challenger", "test", lambda: NOW)
    service.server.promote(service.campaign, "v1", "test", lambda: NOW, force=True)
    assert service.campaign.current_version == "v1"


def test_shadow_lets_the_first_model_serve_and_the_second_wait(service: Service) -> None:
    set_policy(service, promotion="shadow", shadow={"labels": 25})
    assert service.run_round().state is RoundState.PROMOTED
    ended = service.run_round()
    assert (ended.state, service.campaign.current_version) == (RoundState.CANDIDATE, "v1")
    challenger = service.store.gate.challenger(service.campaign.campaign_id)
    assert challenger is not None
    assert (challenger.mode, challenger.label_event_id) == ("shadow", ended.label_event_id)
    assert "v2 passed the gate and answers in the shadow: 25 labels that come in decide" in notices(service)


def test_newer_candidate_replaces_the_one_that_waits(service: Service) -> None:
    waiting_round(service)
    assert service.run_round().version == "v3"
    challenger = service.store.gate.challenger(service.campaign.campaign_id)
    assert challenger is not None
    assert challenger.version == "v3"
    assert service.store.rounds.get(service.campaign.campaign_id, 2).state is RoundState.REJECTED


def test_candidate_that_cannot_be_loaded_fails_its_round(service: Service) -> None:
    assert service.run_round().state is RoundState.PROMOTED
    set_policy(service, promotion="ask")
    service.replay.spoil["models.train"] = cut("model.onnx")
    assert service.run_round().state is RoundState.FAILED
    assert service.store.gate.challenger(service.campaign.campaign_id) is None


@pytest.mark.parametrize("lower_bound", [0.0, 1.0])
def test_thresholds_of_the_policy_decide_and_are_kept_with_the_round(service: Service, lower_bound: float) -> None:
    threshold = {"metric": "ece", "value_threshold": {"lower_bound": lower_bound}}
    set_policy(service, gate={"thresholds": [threshold]})
    ended = service.run_round()
    assert ended.state is (RoundState.REJECTED if lower_bound else RoundState.PROMOTED)
    report = service.store.gate.report(service.campaign.campaign_id, 1)
    assert report is not None
    outcomes = {check.check: check.outcome for check in report.checks}
    assert outcomes["threshold"] == ("failed" if lower_bound else "passed")
    assert outcomes["parity"] == "passed"
    assert outcomes["latency"] == "not asked"
    assert ended.evaluation is not None
    assert ended.evaluation.slices == [], "those are in the card"
    assert service.server.registry(service.campaign).card("v1").evaluation.slices
