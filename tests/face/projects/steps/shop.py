"""An app whose workers run steps of its own, which write down what happens to them."""

import os
from pathlib import Path

from celery import Celery, bootsteps
from click import Option
from kombu import Consumer, Exchange, Queue

app = Celery("shop", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
app.user_options["worker"].add(Option(["--probe"], default="none"))
parcels = Queue("parcels", Exchange("parcels"), "parcels")


def note(*words):
    with Path("notes.txt").open("a") as file:
        print(*words, file=file)


class Probe(bootsteps.StartStopStep):
    """Beats by the worker's timer, as probes of liveness do."""

    requires = {"celery.worker.components:Timer"}

    def __init__(self, worker, probe="unset", **options):
        note("probe made", probe, "loglevel" in options)
        super().__init__(worker, **options)
        self.beats = 0

    def create(self, worker):
        note("probe created")

    def start(self, worker):
        note("probe started", worker.hostname.partition("@")[0], worker.app is app)
        self.entry = worker.timer.call_repeatedly(0.05, self.beat, ("beat",), priority=10)

    def beat(self, word):
        self.beats += 1
        if self.beats == 3:
            note(word)

    def close(self, worker):
        note("probe closed")

    def stop(self, worker):
        self.entry.cancel()
        note("probe stopped")


class Behind(bootsteps.StartStopStep):
    requires = (Probe,)

    def start(self, worker):
        note("behind started")

    def stop(self, worker):
        note("behind stopped")


class Unwanted(bootsteps.StartStopStep):
    requires = (Behind,)

    def include_if(self, worker):
        return False

    def start(self, worker):
        note("never")


class Only(bootsteps.Step):
    requires = (Unwanted,)

    def __init__(self, worker, **options):
        note("only made")


class Parcels(bootsteps.ConsumerStep):
    def get_consumers(self, channel):
        return [Consumer(channel, queues=[parcels], callbacks=[self.unpack], accept=["json"])]

    def unpack(self, body, message):
        note("parcel", body)
        message.ack()


class Guard(bootsteps.StartStopStep):
    requires = (Parcels,)

    def start(self, consumer):
        note("guard started", consumer.app is app, consumer.controller is not None, consumer.connection is not None)

    def stop(self, consumer):
        note("guard stopped")

    def shutdown(self, consumer):
        note("guard left")


app.steps["worker"].update([Probe, Behind, Unwanted, Only])
app.steps["consumer"].update([Parcels, Guard])


@app.task
def add(x, y):
    return x + y
