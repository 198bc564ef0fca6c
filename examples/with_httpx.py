"""Query, label and predict with plain HTTP requests: `python examples/with_httpx.py fields chip.tif`.

Nothing here needs al-loop to be installed: a client in any language sends the same requests.
"""

import argparse
import os
from pathlib import Path

import httpx

ANNOTATOR = "ben"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("campaign")
    parser.add_argument("image", type=Path, help="an image to ask the serving model about")
    parser.add_argument("--service", default=os.environ.get("AL_LOOP_URL", "http://127.0.0.1:8090"))
    parser.add_argument("--token", help="if the service asks for one")
    arguments = parser.parse_args()

    headers = {"Authorization": f"Bearer {arguments.token}"} if arguments.token else {}
    address = f"{arguments.service}/campaigns/{arguments.campaign}/"
    with httpx.Client(base_url=address, headers=headers, timeout=60) as http:
        # 1. The samples to label next. They are leased to the annotator until `lease_expires_at`.
        query = checked(http.post("queries", json={"annotator": ANNOTATOR, "query_size": 3})).json()
        for sample in query["samples"]:
            print(f"label {sample['path']} ({sample['reason']})")

        # 2. Their pictures, to show to the annotator.
        for sample in query["samples"]:
            picture = checked(http.get(f"samples/{sample['sample_id']}/thumbnail.png", params={"size": 256}))
            print(f"{len(picture.content)} bytes of PNG")

        # 3. One label, and the rest given back.
        task = checked(http.get("")).json()["tasks"][0]
        answer = {
            "sample_id": query["samples"][0]["sample_id"],
            "task": task["task"],
            "annotator": ANNOTATOR,
            "classes": task["classes"][:1],
        }
        print("recorded", checked(http.post("labels", json=answer)).json()["label_ids"])
        print("given back", checked(http.post("leases/release", json={"annotator": ANNOTATOR})).json()["released"])

        # 4. What the serving model says of an image: probabilities in the order of the classes.
        image = {"image": (arguments.image.name, arguments.image.read_bytes())}
        probabilities = checked(http.post("predictions/classification", files=image)).json()
        for name, probability in zip(task["classes"], probabilities, strict=True):
            print(f"{name}: {probability:.2f}")


def checked(response: httpx.Response) -> httpx.Response:
    """The response, or the sentence with which the service refused."""
    if response.is_error:
        problem = response.headers.get("content-type", "").startswith("application/problem+json")
        raise SystemExit(f"{response.status_code}: {response.json()['detail'] if problem else response.text}")
    return response


if __name__ == "__main__":
    main()
