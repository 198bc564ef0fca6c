"""Reads many things at once with the asynchronous Python client: `python examples/async_client.py CAMPAIGN`.

Prints how many samples have a label, the newest labels, and how large the thumbnails of some samples are.
"""

import argparse
import asyncio
import os
from itertools import islice

from al_loop.client import AsyncClient, NothingThereError, Retries


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("campaign")
    parser.add_argument("--service", default=os.environ.get("AL_LOOP_URL", "http://127.0.0.1:8090"))
    arguments = parser.parse_args()
    name = arguments.campaign

    async with AsyncClient(arguments.service, retries=Retries(tries=8)) as client:
        try:
            campaign, page = await asyncio.gather(client.campaign(name), client.labels(name, limit=3, order="newest"))
        except NothingThereError as error:
            raise SystemExit(f"{error} ({error.method} {error.url})") from error
        print(f"{campaign.samples.labelled} of {campaign.samples.total} labelled")
        for label in page.labels:
            print(f"sample {label.sample_id}: {label.classes} by {label.annotator}")

        ids = [sample.sample_id async for sample in client.every_sample(name)]  # page by page
        pictures = await asyncio.gather(*(client.thumbnail(name, sample_id, 64) for sample_id in islice(ids, 4)))
        print(f"{len(ids)} samples; thumbnails of {[len(picture) for picture in pictures]} bytes")


if __name__ == "__main__":
    asyncio.run(main())
