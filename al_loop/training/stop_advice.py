"""Whether more labels are worth it: what the next ones would bring by the learning curve, and what they cost.

The curve is fitted and extended as for the trigger `expected_gain` (`al_loop.training.triggers.learning_curve`). Advice
only: nothing is stopped by it.
"""

from al_loop.domain.campaigns import Campaign
from al_loop.domain.quality import AdviceVerdict, StopAdvice, TaskAdvice
from al_loop.store import LabelStore
from al_loop.training.triggers.learning_curve import LEAST_POINTS, TaskCurve, curves_of, fit_curve

POINT = 0.01
"""A gain that is surely smaller is not worth a label: one point of a metric in percent."""
Z = 1.96


def stop_advice(store: LabelStore, campaign: Campaign, more: int) -> StopAdvice:
    """Advice for a campaign.

    Args:
        store: Its labels and rounds.
        campaign: Which.
        more: How many further labels to ask about, at least 1.
    """
    seconds = store.annotators.seconds_a_label(campaign.campaign_id)
    minutes = None if seconds is None else seconds * more / 60
    number = campaign.campaign_id
    curves = store.changes.remember("learning curves", number, lambda: curves_of(store.rounds.list(number)))
    return StopAdvice(
        more=more, seconds_a_label=seconds, minutes=minutes, tasks=[_advice(curve, more, minutes) for curve in curves]
    )


def _advice(curve: TaskCurve, more: int, minutes: float | None) -> TaskAdvice:
    labels = curve.rounds[-1].labels
    fit = fit_curve(curve.rounds)
    if fit is None:
        missing = LEAST_POINTS - len({entry.labels for entry in curve.rounds})
        rounds = "round with another number of labels is" if missing <= 1 else "rounds with other numbers of labels are"
        sentence = f"not known yet: {max(missing, 1)} more {rounds} needed"
        return TaskAdvice(
            task=curve.task, metric=curve.metric, verdict="not known yet", sentence=sentence, labels=labels
        )
    projected = fit.gain(labels, labels + more)
    low, high = projected.gain - Z * projected.noise, projected.gain + Z * projected.noise
    verdict: AdviceVerdict = "stop" if high < POINT else "go on" if low > 0 else "unclear"
    return TaskAdvice(
        task=curve.task,
        metric=curve.metric,
        verdict=verdict,
        sentence=_sentence(verdict, more, projected.gain, low, high, minutes),
        labels=labels,
        value=fit.value(labels),
        gain=projected.gain,
        low=low,
        high=high,
        limit=float(fit.parameters[0]),
    )


def _sentence(verdict: AdviceVerdict, more: int, gain: float, low: float, high: float, minutes: float | None) -> str:
    said = {
        "go on": "worth going on",
        "stop": "little is left to gain",
        "unclear": "the rounds scatter too much to tell",
    }[verdict]
    cost = "" if minutes is None else f", for about {max(1, round(minutes))} min of an annotator"
    points = [f"{100 * value:+.1f}" for value in (gain, low, high)]
    return f"{said}: {more} more labels would bring {points[0]} points ({points[1]} to {points[2]}){cost}"
