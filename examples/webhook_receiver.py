"""Receives webhooks of al-loop: checks who sent them, and prints each event once.

AL_LOOP_WEBHOOK_SECRET=whsec_... python examples/webhook_receiver.py 8099
"""

import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

sender = Webhook(os.environ["AL_LOOP_WEBHOOK_SECRET"])
seen: set[str] = set()  # of a real receiver: in its database


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to what al-loop sent and 400 to everything else."""

    def do_POST(self) -> None:
        """Take one event."""
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            event = sender.verify(body, dict(self.headers))
        except WebhookVerificationError:
            self._answer(400)
            return
        if self.headers["webhook-id"] not in seen:  # an event may come twice
            seen.add(self.headers["webhook-id"])
            sys.stdout.write(f"{event['type']} {event['data']}\n")
            sys.stdout.flush()
        self._answer(204)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()


HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
