"""A whole campaign with the Python client, on the scenes of `make_scenes.py`: `python examples/tutorial.py imagery`.

Creates the campaign if there is none, answers queries in the place of an annotator, trains, and asks the model.
`--steps label` does only that.
"""

import argparse
import json
import os
from pathlib import Path

from al_loop.campaigns.create import CampaignRequest, TaskRequest
from al_loop.client import Client, ServiceError
from al_loop.domain.campaigns import RetrainPolicy
from al_loop.domain.labels import LabelInput

ANNOTATOR = "anna"
STEPS = ["create", "label", "train", "ask"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("imagery", type=Path, help="directory that make_scenes.py wrote")
    parser.add_argument("--service", default=os.environ.get("AL_LOOP_URL", "http://127.0.0.1:8090"))
    parser.add_argument("--campaign", default="fields")
    parser.add_argument("--labels", type=int, default=60, help="samples to label outside the test reserve")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS)
    arguments = parser.parse_args()
    answers = json.loads((arguments.imagery / "fields.json").read_text())

    fields = arguments.imagery / "fields"
    with Client(arguments.service) as client:
        if "create" in arguments.steps:
            create_if_missing(client, arguments.campaign, fields, sorted(set(answers.values())))
        if "label" in arguments.steps:
            label(client, arguments.campaign, answers, arguments.labels)
        if "train" in arguments.steps:
            train(client, arguments.campaign)
        if "ask" in arguments.steps:
            ask(client, arguments.campaign, fields / next(iter(answers)))


def create_if_missing(client: Client, name: str, root: Path, classes: list[str]) -> None:
    """A classification campaign over all images below a folder; rounds start by hand only."""
    try:
        client.campaign(name)
    except ServiceError as error:
        if error.status != 404:
            raise
        client.create_campaign(
            CampaignRequest(
                name=name,
                tasks=[TaskRequest(task="classification", classes=classes)],
                root=str(root.resolve()),
                policy=RetrainPolicy(new_labels=None),
            )
        )
        client.register(name)


def label(client: Client, name: str, answers: dict[str, str], wanted: int) -> None:
    """Answer queries until enough samples are labelled. Some of what is offered belongs to the test reserve."""
    while client.campaign(name).samples.labelled < wanted:
        query = client.query(name, ANNOTATOR, query_size=10)
        if not query.samples:
            print(f"nothing left to label: {query.reason}")
            return
        print(f"{len(query.samples)} samples by {query.strategy}; the first because: {query.samples[0].reason}")
        client.record_labels(
            name,
            [
                LabelInput(
                    sample_id=sample.sample_id,
                    task="classification",
                    annotator=ANNOTATOR,
                    classes=[answers[sample.path]],
                )
                for sample in query.samples
            ],
        )


def train(client: Client, name: str) -> None:
    """Start a round and wait for its end; the gate says whether the new model serves."""
    number = client.start_round(name).number
    for _ in client.watch_round(name, number):
        pass
    finished = client.round(name, number)
    print(f"round {number} {finished.state}: {finished.verdict or finished.error}")


def ask(client: Client, name: str, image: Path) -> None:
    """Class probabilities of one image from the serving model."""
    classes = client.campaign(name).tasks[0].classes
    try:
        probabilities = json.loads(client.predict(name, "classification", image.read_bytes()))
    except ServiceError as error:
        if error.status != 409:
            raise
        print(f"{image.name}: {error}")  # the gate rejected the first model: label more, then train again
        return
    best = max(range(len(classes)), key=probabilities.__getitem__)
    print(f"{image.name}: {classes[best]} ({probabilities[best]:.0%})")


if __name__ == "__main__":
    main()
