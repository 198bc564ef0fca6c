"""What annotators are told of a campaign's progress, without telling them which samples are for testing."""

from collections.abc import Sequence
from datetime import datetime

from al_loop.campaigns.readiness import readiness
from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import AnnotatorProgress, ModelScore, NextRound, ScorePoint
from al_loop.domain.samples import SampleCounts
from al_loop.store import LabelStore
from al_loop.training.policy import last_counted_snapshot


def annotator_progress(
    store: LabelStore,
    campaign: Campaign,
    annotator: str,
    now: datetime,
    *,
    since: datetime,
    notices: Sequence[str] = (),
) -> AnnotatorProgress:
    """How a campaign stands for one annotator.

    Args:
        store: Where the labels are.
        campaign: Which.
        annotator: For whom.
        now: The present.
        since: Start of the annotator's day.
        notices: Trouble to pass on.
    """
    number = campaign.campaign_id
    counts = store.campaigns.counts(number, now)
    tally = store.labels.tally(number, annotator, since)
    first = campaign.tasks[0].task
    curve = [point for point in store.rounds.curve(number) if point.task == first]
    serving = next((point for point in reversed(curve) if point.version == campaign.current_version), None)
    return AnnotatorProgress(
        answered=tally.answered,
        answered_by_you=tally.own,
        today_by_you=tally.own_since,
        open_for_you=len(store.queries.leases(number, now, annotator)),
        left_in_pool=max(0, counts.total - tally.answered),
        next_round=next_round_for_annotators(store, campaign, counts, now),
        model=None
        if serving is None
        else ModelScore(
            version=serving.version,
            metric=serving.metric,
            value=serving.value,
            low=serving.low,
            high=serving.high,
        ),
        curve=[ScorePoint(labels=p.labels, value=p.value, low=p.low, high=p.high) for p in curve],
        notices=[*notices],
    )


def next_round_for_annotators(store: LabelStore, campaign: Campaign, counts: SampleCounts, now: datetime) -> NextRound:
    """How far it is to the next round, where answers of the test reserve count like all others."""
    number, policy = campaign.campaign_id, campaign.policy
    rounds = store.rounds.list(number)
    if rounds and not rounds[-1].state.is_end:
        return NextRound(sentence=f"round {rounds[-1].number} is under way")
    problem = readiness(store, campaign, now)
    if problem is not None:
        short = _short(campaign, counts)
        return NextRound(sentence=problem.reason) if short is None else short
    if policy.new_labels is not None:
        event = last_counted_snapshot(rounds)
        ready = store.labels.new_samples_since(number, event) >= policy.new_labels
        new = store.labels.new_samples_since(number, event, every=True)
        shown = policy.new_labels if ready else min(new, policy.new_labels - 1)
        return NextRound(
            sentence=f"{shown} of {policy.new_labels} new labels until the next round",
            new_labels=shown,
            needed=policy.new_labels,
        )
    if policy.interval_s is not None:
        return NextRound(sentence="the next round starts by itself, at set times, once there are new labels")
    return NextRound(sentence="rounds of this campaign are started by hand")


def _short(campaign: Campaign, counts: SampleCounts) -> NextRound | None:
    """How many labels the first round needs, those for training and testing together; None: that is not what lacks."""
    policy = campaign.policy
    train, test = counts.labelled + counts.partly, counts.reserve_labelled + counts.reserve_partly
    if counts.total == 0 or counts.reserve < policy.min_reserve_labels:
        return None
    if train >= policy.min_labels and test >= policy.min_reserve_labels:
        return None
    needed = policy.min_labels + policy.min_reserve_labels
    have = min(train + test, needed - 1)
    return NextRound(sentence=f"{have} of about {needed} labels until the first round", new_labels=have, needed=needed)
