"""Sentry's integration, with a transport that notes what would be sent, and from which process."""

import json
import os
import sys

import sentry_sdk
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.transport import Transport

NOTES = sys.argv[1]


class Notes(Transport):
    def capture_envelope(self, envelope):
        for item in envelope.items:
            found = item.get_transaction_event() or item.get_event()
            if found:
                errors = [each["type"] for each in (found.get("exception") or {}).get("values", [])]
                trace = found["contexts"]["trace"]
                spans = sorted(span["op"] for span in found.get("spans") or ())
                with open(NOTES, "a") as file:
                    note = [item.type, found.get("transaction"), errors, trace["trace_id"], spans, os.getpid()]
                    file.write(json.dumps(note) + "\n")


sentry_sdk.init(dsn="https://key@sentry.invalid/1", transport=Notes, traces_sample_rate=1.0, integrations=[CeleryIntegration()])

from celery import Celery  # noqa: E402

PATIENCE = float(os.environ["PATIENCE"])

app = Celery("watched", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])


@app.task
def add(x, y):
    return x + y


@app.task
def fail():
    raise ValueError("as asked")


def send():
    with sentry_sdk.start_transaction(name="program", op="test"):
        print(add.delay(1, 2).get(timeout=PATIENCE), repr(fail.delay().get(timeout=PATIENCE, propagate=False)))


if __name__ == "__main__":
    send()
