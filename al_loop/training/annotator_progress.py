"""What annotators are told of a campaign's progress, without telling them which samples are for testing."""

import math
from collections.abc import Sequence
from datetime import datetime

import msgspec

from al_loop.campaigns.readiness import TOO_FEW_IMAGES, has_too_few_images, readiness_to_show
from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import AnnotatorProgress, ModelScore, NextRound, ScorePoint
from al_loop.domain.samples import SampleCounts
from al_loop.store import LabelStore
from al_loop.training.triggers.policy import foreground, last_counted_snapshot


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
    counts = told_counts(store, campaign, annotator, now)
    tally = store.labels.tally(number, annotator, since)
    first = campaign.tasks[0].task
    curve = [point for point in store.rounds.curve(number) if point.task == first]
    serving = next((point for point in reversed(curve) if point.version == campaign.current_version), None)
    return AnnotatorProgress(
        answered=counts.labelled,
        answered_by_you=tally.own,
        today_by_you=tally.own_since,
        open_for_you=len(store.queries.leases(number, now, annotator)),
        left_in_pool=counts.total - counts.labelled,
        next_round=next_round_for_annotators(store, campaign, annotator, now),
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


def told_counts(store: LabelStore, campaign: Campaign, annotator: str | None, now: datetime) -> SampleCounts:
    """Samples by state, with those of the test reserve and of the gold standard counted like all others.

    A gold-standard sample is as this annotator left it, so that each answer moves the same counts whatever it was
    asked for. Those that are left when all others are labelled count as labelled, as nobody waits for them.

    Args:
        store: Where the labels are.
        campaign: Which.
        annotator: Who is told; None: nobody whose name is known, and what any annotator answered counts.
        now: Decides which leases run.
    """
    counts = store.campaigns.counts(campaign.campaign_id, now)
    told = SampleCounts(
        pool=counts.pool + counts.reserve - counts.reserve_labelled - counts.reserve_leased,
        leased=counts.leased + counts.reserve_leased,
        labelled=counts.labelled + counts.reserve_labelled,
        reserve=0,
        reserve_labelled=0,
        total=counts.total,
        skipped=counts.skipped,
        partly=counts.partly + counts.reserve_partly,
    )
    if counts.golden == 0:
        return told
    known = store.campaigns.gold_standard_counts(campaign.campaign_id, now, annotator)
    if told.pool + told.leased + known.leased == 0:
        return msgspec.structs.replace(told, labelled=counts.total)
    summed = ("pool", "leased", "labelled", "skipped", "partly")
    return msgspec.structs.replace(told, **{name: getattr(told, name) + getattr(known, name) for name in summed})


def next_round_for_annotators(store: LabelStore, campaign: Campaign, annotator: str | None, now: datetime) -> NextRound:
    """How far it is to the next round, where answers of the test reserve count like all others.

    A round waits for a number of labels outside the reserve. Annotators are told about how many that is with those of
    the reserve among them; the count stays below that number until the round can start. `annotator`: see `told_counts`.
    """
    if campaign.archived_at is not None:
        return NextRound(sentence="archived: no rounds start")
    number, policy = campaign.campaign_id, campaign.policy
    rounds = foreground(store.rounds.list(number))
    if rounds and not rounds[-1].state.is_end:
        return NextRound(sentence=f"round {rounds[-1].number} is under way")
    problem = readiness_to_show(store, campaign, now)
    counts = store.campaigns.counts(number, now)  # the test reserve is drawn by now
    short = problem is not None and _is_short(campaign, counts)
    if problem is not None and not short:
        return NextRound(sentence=TOO_FEW_IMAGES if has_too_few_images(campaign, counts) else problem.reason)
    least = policy.min_labels + policy.min_reserve_labels
    if policy.new_labels is not None:
        event = last_counted_snapshot(rounds)
        new, needed = store.labels.new_samples_since(number, event, every=True, person=annotator), policy.new_labels
        ready = not short and store.labels.new_samples_since(number, event) >= needed
        outside = 1 - counts.reserve / max(1, counts.total)
        needed = max(math.ceil(needed / outside), 0 if rounds else least)
        told = told_counts(store, campaign, annotator, now)
        left = max(0, told.total - told.labelled - told.partly)
        needed, ready = min(needed, max(1, left + new)), ready or left == 0  # as many as there are images
    elif short:
        told = told_counts(store, campaign, annotator, now)
        new, needed, ready = told.labelled + told.partly, least, False
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


def _is_short(campaign: Campaign, counts: SampleCounts) -> bool:
    """Whether more labels are all that the first round needs."""
    policy = campaign.policy
    train, test = counts.labelled + counts.partly, counts.reserve_labelled + counts.reserve_partly
    if has_too_few_images(campaign, counts):
        return False
    return train < policy.min_labels or test < policy.min_reserve_labels
