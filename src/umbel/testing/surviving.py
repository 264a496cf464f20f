"""That chords end whoever dies, whether broker and results are one store or two."""

from __future__ import annotations

import os
import random
import signal
import time

from umbel.stores.backend import ResultBackend
from umbel.stores.broker import Broker
from umbel.testing.given import LEASE, Another, Given, drain
from umbel.testing.mortal import BODIES, ORDERS, PARTS, Death, Mortal, body_of, part_of
from umbel.testing.waiting import until
from umbel.wire.envelope import Envelope


class Surviving(Given):
    """Owners that die while they run parts and fire chords."""

    def test_whoever_dies_between_a_part_and_its_body_the_body_is_sent_once(
        self, another: Another, broker: Broker, backend: ResultBackend
    ) -> None:
        """One dies after one more step each time, until it lives to the end; the next goes on."""
        survivor, size = Mortal(broker, backend), 3
        for last in range(1, 100):
            chord = f"chord{last}"
            backend.expect(chord, size)
            broker.send([part_of(chord, index) for index in range(size)])
            mortal = Mortal(another(lease=LEASE), backend, last)
            try:
                while mortal.work():
                    pass
            except Death:
                self.go_on(broker, survivor, chord, size)
            else:
                break
        assert last > 10
        self.go_on(broker, survivor, chord, size)

    def go_on(self, broker: Broker, survivor: Mortal, chord: str, size: int) -> None:
        """Do all that is left of a chord, and look at its body."""
        found: list[Envelope] = []

        def is_over() -> bool:
            broker.recover()
            while survivor.work():
                pass
            found.extend(each.envelope for each in drain(broker, BODIES))
            return bool(found) and not broker.depth([PARTS, ORDERS])[PARTS].held

        until(is_over)
        assert found == [body_of(chord, size)]

    def test_processes_that_are_killed_at_any_moment_leave_no_chord_behind(
        self, another: Another, broker: Broker, backend: ResultBackend
    ) -> None:
        if not self.shared_by_processes:
            return
        chords, size = [f"chord{number}" for number in range(40)], 4
        for chord in chords:
            backend.expect(chord, size)
        broker.send([part_of(chord, index) for index in range(size) for chord in chords])
        for _ in range(6):
            pid = os.fork()
            if not pid:
                try:
                    mortal = Mortal(another(lease=LEASE), backend)
                    while mortal.work():
                        pass
                finally:
                    os._exit(0)
            until(lambda: not broker.depth([PARTS])[PARTS].ready or broker.depth([PARTS])[PARTS].held)
            time.sleep(random.random() * 0.01)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        survivor, found = Mortal(broker, backend), list[Envelope]()

        def is_over() -> bool:
            broker.recover()
            while survivor.work():
                pass
            found.extend(each.envelope for each in drain(broker, BODIES))
            return len(found) >= len(chords) and not any(each.held for each in broker.depth([PARTS, ORDERS]).values())

        until(is_over)
        assert sorted(each.id for each in found) == sorted(f"{chord}.body" for chord in chords)
        assert {each.id: each.body for each in found} == {f"{chord}.body": body_of(chord, size).body for chord in chords}
