"""Umbel's own scheduler: reads the entries from the store, sends what is due, and notes what was sent."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from urllib.parse import quote

import msgspec

from umbel import clock, guise
from umbel.beat.agenda import Agenda, Tick
from umbel.beat.trouble import Trouble
from umbel.client.app import Umbel
from umbel.client.outbox import call_all
from umbel.client.periodic.declared import Declared
from umbel.client.periodic.entry import Entry
from umbel.client.periodic.tick import draft_of, fire, goes_plainly
from umbel.errors import BrokerDown, BrokerError, BrokerRefused
from umbel.stores.broker import Once
from umbel.stores.schedule import Ticks
from umbel.wire.envelope import Envelope
from umbel.wire.ids import derived

log = guise.logger("umbel.beat")

MOST = 1_000
"""Messages sent in one step: beyond, a store gains nothing more for each."""
GATHER = 0.02
"""Seconds: it wakes at multiples of this, so that what falls due one shortly after the other is one step, and whole seconds are
kept exactly."""
NOTED = 0.1
"""Seconds from one note of what was sent to the next: with a hundred firings a second each step would cost half as much again."""
FEW = 5
"""Names that are listed where there may be thousands."""
PAUSE = 1.0
"""Seconds until a broker that was away is tried again."""


Through = Callable[[Entry, Callable[[Entry], object]], object]

_through: Through | None = None


def fire_through(function: Through | None) -> None:
    """Enter `function(entry, fire)` for each message of an entry from now on, whatever beat sends it.

    It calls `fire(entry)`, with this entry or a changed one. What is sent meanwhile is that message, guarded as ever.
    """
    global _through
    _through = function


class Letter(msgspec.Struct):
    """The message of one tick, ready to be sent."""

    name: str
    task: str
    once: Once
    then: list[Callable[[], None]]
    """Tell those who listen that it was sent."""
    more: Sequence[Envelope] = ()
    """What is sent with it, as an `apply_async` of the task's own has it."""


class Dispatch:
    """Sends each firing of each entry once, however many beats there are. Belongs to the thread of its beat.

    `begin` when its beat comes to lead, then `look` and `work` again and again, and `end` when the lead is over.
    The schedule is what the code of the leader says: it brings the store in line when it begins.
    What it sends is guarded by the broker (`send_once`) and noted in the store right behind that: a leader that dies in between
    leaves a firing that its successor finds sent.
    """

    def __init__(self, app: Umbel, *, may_send: Callable[[], bool], stay: Callable[[], None]):
        self._app = app
        self._may_send = may_send
        """Asked before each step: what was a leader may have slept."""
        self._stay = stay
        """Called in the midst of what may take longer than a lease: else large schedules would go from beat to beat for ever."""
        self._store = app.schedule_store
        self._agenda: Agenda | None = None
        self._version = 0
        self._declared = Declared()
        self._stream = f"beat:{quote(self._store.name, safe='')}:"  # other apps on this broker have entries of equal names
        self._unnoted: dict[str, Ticks] = {}
        """What was sent, and is not in the store yet."""
        self._failing: set[str] = set()
        """Entries whose last message could not be made."""
        self._not_before = self._next_note = 0.0
        self._broker = Trouble("broker", "What falls due waits and is sent when it is back")

    def prepare(self) -> None:
        """Look at what the code names, and tell what is wrong there."""
        declared = self._declared = self._app.schedule.named()
        for name, problem in declared.wrong.items():
            log.error("Entry %r is not sent: %s", name, problem)
        strange: defaultdict[str, list[str]] = defaultdict(list)
        for name, task in declared.strange.items():
            strange[task].append(name)
        for task, names in strange.items():
            log.warning("The task %r of %s is not known to this app: it is sent all the same", task, _few(names))

    def begin(self) -> None:
        """Read the whole schedule, and bring it in line with the code."""
        self._note()
        self._agenda = None  # the old one goes before the new one comes: both may be large
        declared, deadline = self._declared, self._app.conf.beat_cron_starting_deadline
        agenda = Agenda(self._app.timezone, declared.unkept, wrong=declared.wrong, deadline=deadline)
        changes = self._store.changes()
        self._stay()
        if self._app.schedule.save_named(declared, changes.rows, between=self._stay):
            changes = self._store.changes()
            self._stay()
        changes.whole = True
        agenda.load(changes, between=self._stay)
        self._agenda, self._version = agenda, changes.version

    def compare(self, leader: str) -> None:
        """Tell if the code of the beat that leads names other entries than this one's."""
        names = self._app.schedule.unsaved(self._declared)
        if names:
            log.warning(
                "The beat %s leads, and its code differs from this one's in %s. What this code says counts as soon as "
                "a beat with this code leads. If that one is another project's, give one of the apps another name",
                leader,
                _few(names),
            )

    def look(self) -> None:
        """Note what was sent, and read what has changed."""
        self._note()
        changes = self._store.changes(self._version)
        if changes.whole and self._version:
            log.warning("The schedule store has lost what it had, or was not heard of for long: the schedule is read anew")
            self._agenda = None
        if self._agenda is None:  # or the store went away in the midst of reading it
            self.begin()
            return
        self._version = changes.version
        if changes.rows or changes.gone or changes.whole:
            self._agenda.load(changes)

    def work(self) -> float | None:
        """Send what is due; gives the seconds until something will be (None: nothing will)."""
        if self._agenda is None:
            return None
        held = self._not_before - clock.monotonic()
        if held > 0:
            return held
        while (due := self._agenda.next_due) is not None:
            wait = math.ceil(due / GATHER) * GATHER - clock.now()
            if wait > 0 or not self._may_send():
                return max(wait, 0.0)
            if not self._send(self._agenda, self._agenda.due(clock.now(), MOST)):
                self._not_before = clock.monotonic() + PAUSE
                return PAUSE
        return None

    def end(self, *, in_order: bool) -> None:
        """The lead is over; `in_order` if it was given up, so that what was sent can still be noted.

        Else the next leader finds it sent, and notes it.
        """
        self._agenda = None
        if in_order:
            self._note()
        self._unnoted.clear()

    # One step

    def _send(self, agenda: Agenda, ticks: Sequence[Tick]) -> bool:
        """Send the messages of these; False if the broker is away."""
        letters = [letter for tick in ticks for letter in self._letters(agenda, tick)]
        try:
            self._hand_in(letters)
        except BrokerDown as error:
            self._broker.begins(error)
            for tick in ticks:
                agenda.retry(tick)
            return False
        if letters:
            self._broker.ends()
        for tick in ticks:
            agenda.settle(tick)
            self._remember(tick)
        if clock.monotonic() >= self._next_note:
            with suppress(BrokerError):  # the next look tries again, and tells
                self._note()
        return True

    def _letters(self, agenda: Agenda, tick: Tick) -> list[Letter]:
        name = tick.planned.name
        if not tick.moments:
            log.warning("Entry %r: what was due up to %s was missed, and is left out", name, clock.utc(tick.settled))
        letters = []
        for moment in tick.moments:
            try:
                letter = self._letter(agenda.entry(tick.planned), moment)
                letters += [letter] if letter is not None else []
                self._failing.discard(name)
            except Exception as problem:  # whatever lazy arguments, routers and options of users raise
                again = name in self._failing  # its traceback was told
                self._failing.add(name)
                text = "Entry %r: its message of %s cannot be made: %r"
                log.error(text, name, clock.utc(moment), problem, exc_info=not again)
        return letters

    def _letter(self, entry: Entry, moment: float) -> Letter | None:
        """The message of a firing; None if whoever overrides the sending of its task sends none."""
        stream = self._stream + entry.name
        id_ = derived(f"{stream}\0{entry.task}", moment)
        if _through is None and goes_plainly(self._app, entry):
            envelope, then = draft_of(self._app, entry, id=id_).write()
            return Letter(entry.name, entry.task, Once(envelope, stream, moment), [then] if then else [])
        with self._app.outbox.diverted() as batch:
            if _through is None:
                fire(self._app, entry, id=id_)
            else:
                _through(entry, lambda entry: fire(self._app, entry, id=id_))
        envelopes = sorted(batch.envelopes, key=lambda envelope: envelope.id != id_)  # others are those of whoever overrides
        if not envelopes:
            return None
        return Letter(entry.name, entry.task, Once(envelopes[0], stream, moment), batch.then, envelopes[1:])

    def _hand_in(self, letters: Sequence[Letter]) -> None:
        try:
            accepted = self._app.broker.send_once([letter.once for letter in letters]) if letters else []
        except BrokerRefused as error:
            if len(letters) > 1:  # one of them is to blame, and the others are to go
                for letter in letters:
                    self._hand_in([letter])
            else:
                log.error("Entry %r: the broker refuses its message: %s", letters[0].name, error)
            return
        for letter, is_new in zip(letters, accepted, strict=True):
            if not is_new:
                continue
            log.info("Scheduler: Sending due task %s (%s)", letter.name, letter.task)  # not before: the broker may be away
            if letter.more:
                self._app.outbox.send(letter.more)
            call_all(letter.then)

    def _remember(self, tick: Tick) -> None:
        """A firing that was there already counts, too: whoever sent it did not come to note it."""
        known = self._unnoted.get(tick.planned.name)
        count = len(tick.moments) + (known.count if known is not None else 0)
        self._unnoted[tick.planned.name] = Ticks(tick.planned.name, tick.settled, count)

    def _note(self) -> None:
        if self._unnoted:
            self._next_note = clock.monotonic() + NOTED
            self._store.tick(list(self._unnoted.values()))
            self._unnoted.clear()


def _few(names: Sequence[str]) -> str:
    """The first of these entries, and how many more."""
    more = f" and {len(names) - FEW:,} more" if len(names) > FEW else ""
    return f"{'entry' if len(names) == 1 else 'entries'} {', '.join(map(repr, names[:FEW]))}{more}"
