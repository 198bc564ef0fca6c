"""What annotators are told of a campaign's progress, without telling them which samples are for testing."""

import math
from collections.abc import Sequence
from datetime import datetime

from al_loop.campaigns.readiness import readiness_to_show
from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import AnnotatorProgress, ModelScore, NextRound, ScorePoint
from al_loop.domain.samples import SampleCounts
from al_loop.store import LabelStore
from al_loop.training.triggers.policy import foreground, last_counted_snapshot

TOO_FEW_IMAGES = "too few images to train on; whoever runs the campaign can add more"


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
    """How far it is to the next round, where answers of the test reserve count like all others.

    A round waits for a number of labels outside the reserve. Annotators are told about how many that is with those of
    the reserve among them; the count stays below that number until the round can start.
    """
    if campaign.archived_at is not None:
        return NextRound(sentence="archived: no rounds start")
    number, policy = campaign.campaign_id, campaign.policy
    rounds = foreground(store.rounds.list(number))
    if rounds and not rounds[-1].state.is_end:
        return NextRound(sentence=f"round {rounds[-1].number} is under way")
    problem = readiness_to_show(store, campaign, now)
    short = problem is not None and _is_short(campaign, counts)
    if problem is not None and not short:
        return NextRound(sentence=TOO_FEW_IMAGES if _is_small(campaign, counts) else problem.reason)
    least = policy.min_labels + policy.min_reserve_labels
    if policy.new_labels is not None:
        event = last_counted_snapshot(rounds)
        new, needed = store.labels.new_samples_since(number, event, every=True), policy.new_labels
        ready = not short and store.labels.new_samples_since(number, event) >= needed
        outside = 1 - counts.reserve / max(1, counts.total)
        needed = max(math.ceil(needed / outside), 0 if rounds else least)
    elif short:
        new, needed, ready = (
            counts.labelled + counts.partly + counts.reserve_labelled + counts.reserve_partly,
            least,
            False,
        )
    elif policy.interval_s is not None or policy.cron is not None:
        return NextRound(sentence="the next round starts by itself, at set times, once there are new labels")
    elif policy.new_labels_share is not None or policy.expected_gain is not None or policy.drift is not None:
        return NextRound(sentence="the next round starts by itself, once new labels are worth it")
    else:
        return NextRound(sentence="rounds of this campaign are started by hand")
    shown = needed if ready else min(new, needed - 1)
    return NextRound(
        sentence=f"{shown} of about {needed} new labels until the next round", new_labels=shown, needed=needed
    )


def _is_small(campaign: Campaign, counts: SampleCounts) -> bool:
    """Whether the reserve of so few images cannot hold the labels that a round needs."""
    return counts.total == 0 or counts.reserve < campaign.policy.min_reserve_labels


def _is_short(campaign: Campaign, counts: SampleCounts) -> bool:
    """Whether more labels are all that the first round needs."""
    policy = campaign.policy
    train, test = counts.labelled + counts.partly, counts.reserve_labelled + counts.reserve_partly
    if _is_small(campaign, counts):
        return False
    return train < policy.min_labels or test < policy.min_reserve_labels
