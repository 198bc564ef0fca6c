"""Counts what is left to label with the Python client: `python examples/read_pages.py CAMPAIGN`."""

import os
import sys

from al_loop.client import Client, NothingThereError

with Client(os.environ.get("AL_LOOP_URL", "http://127.0.0.1:8090")) as client:
    try:
        left = [sample.path for sample in client.every_sample(sys.argv[1], state="pool")]
    except NothingThereError as error:
        raise SystemExit(f"{error} ({error.method} {error.url}, request {error.request_id})") from error
    print(f"{len(left)} images are not labelled yet")
