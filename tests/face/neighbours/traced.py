"""OpenTelemetry's instrumentation, with a tracer that notes what spans are called and with what they end."""

import json
import os

from celery import Celery
from celery.contrib.testing import tasks as _ping
from celery.contrib.testing.worker import start_worker
from opentelemetry import trace
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.trace import NonRecordingSpan, SpanContext

PATIENCE = float(os.environ["PATIENCE"])

noted = []


class Span(NonRecordingSpan):
    def __init__(self, name):
        super().__init__(SpanContext(1, 1, is_remote=False))
        self.name = name

    def is_recording(self):
        return True

    def set_status(self, status, description=None):
        noted.append([self.name, status.status_code.name, status.description])

    def set_attribute(self, key, value):
        if key in ("celery.action", "celery.state", "messaging.destination"):
            noted.append([self.name, key, value])


class Tracer(trace.Tracer):
    def start_span(self, name, *args, **kwargs):
        return Span(name)

    def start_as_current_span(self, name, *args, **kwargs):
        return trace.use_span(Span(name))


class Provider(trace.TracerProvider):
    def get_tracer(self, *args, **kwargs):
        return Tracer()


CeleryInstrumentor().instrument(tracer_provider=Provider())
app = Celery("traced", broker="memory://", backend="cache+memory://")


@app.task
def add(x, y):
    return x + y


@app.task
def fail():
    raise ValueError("as asked")


with start_worker(app, loglevel="critical"):
    add.delay(1, 2).get(timeout=PATIENCE)
    fail.delay().get(timeout=PATIENCE, propagate=False)
print(json.dumps([note for note in noted if _ping.ping.name not in note[0]]))
