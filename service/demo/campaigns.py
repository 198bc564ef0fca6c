"""One arm of the demo: a campaign that asks with one strategy, its annotators, and what happened."""

import random
from dataclasses import dataclass, field

import msgspec
from rich.console import Console

from al_loop.campaigns.importing import ImportPlan
from al_loop.client.answers import RoundView
from al_loop.client.http import Client
from al_loop.domain.labels import LabelInput
from al_loop.domain.queries import QueryAnswer, QuerySample
from al_loop.domain.retraining import RetrainPolicy
from al_loop.querying.strategies import Random, StrategyConfig
from service.commands.imports import chunks, ensure_campaign, label_chunks
from service.commands.rounds import follow_round, outcome
from service.demo.annotator import Annotator

ANNOTATORS = ("anna", "ben")
RESERVE_LABELS = 300
"""Reserve samples that are labelled before the first round, so that both arms are measured on the same ones."""
BY_HAND = RetrainPolicy(new_labels=None, min_labels=4)


@dataclass
class DemoCampaign:
    """A campaign of the demo, what its annotators were asked about, and its rounds."""

    client: Client
    name: str
    strategy: StrategyConfig | None
    annotator: Annotator
    asked: list[list[QuerySample]] = field(default_factory=list)
    rounds: list[RoundView] = field(default_factory=list)

    @classmethod
    def create(
        cls, client: Client, name: str, strategy: str | None, plan: ImportPlan, annotator: Annotator
    ) -> "DemoCampaign":
        """Create the campaign, register the images, draw and label the test reserve."""
        campaign = f"demo-{name}"
        ensure_campaign(client, plan, campaign, BY_HAND)
        for paths in chunks(plan.paths, 500):
            client.register(campaign, paths)
        arm = cls(client, campaign, Random() if strategy == "random" else None, annotator)
        arm._label_reserve()
        return arm

    def ask(self, query_size: int) -> list[QuerySample]:
        """Let the annotators query in turn and label the samples they are given; returns those."""
        given: list[QuerySample] = []
        for position, name in enumerate(ANNOTATORS):
            share = -(-(query_size - len(given)) // (len(ANNOTATORS) - position))
            if share == 0:
                break
            answer = self.client.query(self.name, name, share, self.strategy)
            self._answer([(sample.path, sample.sample_id) for sample in answer.samples], name)
            given += self._explained(answer)
        return given

    def ask_the_same(self, other: "DemoCampaign") -> None:
        """Label what the first query of another arm was about, so that both curves begin with the same labels."""
        asked = {sample.path: sample for sample in other.asked[0]}
        ids = {sample.path: sample.sample_id for sample in self.client.every_sample(self.name) if sample.path in asked}
        self._answer(list(ids.items()), ANNOTATORS[0])
        self.asked.append([msgspec.structs.replace(asked[path], sample_id=number) for path, number in ids.items()])

    def labelled(self) -> int:
        """Samples outside the reserve with a label for any task."""
        counts = self.client.campaign(self.name).samples
        return counts.labelled + counts.partly

    def _explained(self, answer: QueryAnswer) -> list[QuerySample]:
        """The samples with the reasons and scores that annotators are not told."""
        if answer.query_id is None:
            return []
        told = {pick.sample_id: pick for pick in self.client.explain_query(self.name, answer.query_id).samples}
        return [
            msgspec.structs.replace(sample, reason=pick.reason, score=pick.score)
            for sample in answer.samples
            for pick in [told[sample.sample_id]]
        ]

    def start_round(self) -> int:
        """Start a round; returns its number."""
        return self.client.start_round(self.name, reason="demo").number

    def follow(self, number: int, console: Console) -> None:
        """Show a round's progress until it ends."""
        view = follow_round(self.client, self.name, number, console)
        self.rounds.append(view)
        console.print(f"  {self.name}: {outcome(view)}", highlight=False, markup=False)

    def _label_reserve(self) -> None:
        """The first query draws the reserve; its leases are given back, so that nothing is spent."""
        self.client.query(self.name, ANNOTATORS[0], 1)
        self.client.release(self.name, ANNOTATORS[0])
        reserve = [
            (sample.path, sample.sample_id)
            for sample in self.client.every_sample(self.name, state="reserve")
            if sample.path in self.annotator.truth
        ]
        random.Random(0).shuffle(reserve)  # noqa: S311  # no secret; the order of paths is that of classes where these are folders
        self._answer(reserve[:RESERVE_LABELS], "reserve")

    def _answer(self, samples: list[tuple[str, int]], name: str) -> None:
        labels: list[LabelInput] = []
        for path, sample_id in samples:
            labels += self.annotator.answers(path, sample_id, name)
        for some in label_chunks(labels):
            self.client.record_labels(self.name, some)


def spend_labels(arm: DemoCampaign, target: int, console: Console) -> None:
    """Ask and answer until `target` samples outside the reserve are labelled, or the pool has no more to offer."""
    asked: list[QuerySample] = []
    with console.status(f"{arm.name}: the annotators answer queries"):
        while (missing := target - arm.labelled()) > 0:
            given = arm.ask(missing)
            if not given:
                break
            asked += given
    arm.asked.append(asked)


def seconds_of(view: RoundView) -> float:
    """How long a round took; 0 for one that has not begun or not ended."""
    if view.started_at is None or view.ended_at is None:
        return 0.0
    return (view.ended_at - view.started_at).total_seconds()
