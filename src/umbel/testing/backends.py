"""What every result backend must keep, as tests to inherit: say where the store of a test is.

class TestSqlite(BackendContract):
    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path}/results.db"
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from umbel import states
from umbel.stores.backend import ResultBackend
from umbel.stores.url import open_backend
from umbel.testing.given import in_a_child
from umbel.testing.joining import Joining
from umbel.testing.waiting import pace, patience, until
from umbel.wire.result import Result

Another = Callable[..., ResultBackend]

STATES = [*sorted(states.ALL_STATES), "OF MY OWN", "ANOTHER"]


def success(id: str, document: bytes = b"{}") -> Result:
    """A result that is final."""
    return Result(id, states.SUCCESS, document)


def started(id: str) -> Result:
    """A result that is not."""
    return Result(id, states.STARTED, b"started")


class BackendContract(Joining):
    """Inherit, and override `url`; override `make` if `umbel.stores.url` does not know the store."""

    shared_by_processes = True
    """False if a forked child finds an empty store of its own."""

    @pytest.fixture
    def url(self) -> str:
        """Where the store of this test is; empty, and no other test's."""
        raise AssertionError("override the fixture `url`")

    def make(self, url: str, expires: float | None) -> ResultBackend:
        """One more backend on the store."""
        return open_backend(url, expires=expires)

    @pytest.fixture
    def another(self, url: str) -> Iterator[Another]:
        """Opens one more backend on the same store, and closes it when the test is over."""
        opened: list[ResultBackend] = []

        def open_one(expires: float | None = 60.0) -> ResultBackend:
            opened.append(self.make(url, expires))
            return opened[-1]

        yield open_one
        for backend in opened:
            backend.close()

    @pytest.fixture
    def backend(self, another: Another) -> ResultBackend:
        """A backend that lives as long as the test."""
        return another()

    # Keeping

    def test_what_is_stored_is_fetched(self, backend: ResultBackend, another: Another) -> None:
        results = [success("a", bytes(range(256))), started("b"), Result("c", "OF MY OWN", b"")]
        backend.store(results)
        assert another().fetch(["a", "b", "c", "unknown"]) == {result.id: result for result in results}

    def test_what_is_unknown_is_absent(self, backend: ResultBackend) -> None:
        assert backend.fetch(["a"]) == {}

    def test_empty_batches_do_nothing(self, backend: ResultBackend) -> None:
        backend.store([])
        backend.forget([])
        assert backend.fetch([]) == backend.wait([], 0) == backend.wait([], patience()) == {}
        assert backend.sweep() == 0

    def test_strange_ids_and_documents_survive(self, backend: ResultBackend) -> None:
        names = ["", "'", '"\\\n', "žluť🐴", "a" * 1000, "NULL", "{}", "0"]
        results = [success(name, name.encode() + b"\0\xff") for name in names]
        backend.store(results)
        assert backend.fetch(names) == {result.id: result for result in results}

    def test_a_thousand_are_stored_and_fetched_at_once(self, backend: ResultBackend) -> None:
        results = [success(f"{number:05d}", b"%d" % number) for number in range(3000)]
        backend.store(results)
        assert backend.fetch([result.id for result in results]) == {result.id: result for result in results}

    def test_long_documents_are_kept(self, backend: ResultBackend) -> None:
        results = [success(str(number), bytes([number]) * (8 << 20)) for number in range(4)]
        backend.store(results)
        assert backend.fetch(["0", "1", "2", "3"]) == {result.id: result for result in results}

    def test_a_result_gives_way_by_the_rule_of_states(self, backend: ResultBackend) -> None:
        pairs = [(f"{old}>{new}", old, new) for old, new in itertools.product(STATES, STATES)]
        backend.store([Result(id, old, b"old") for id, old, _ in pairs])
        backend.store([Result(id, new, b"new") for id, _, new in pairs])
        found = backend.fetch([id for id, _, _ in pairs])
        for id, old, new in pairs:
            expected = Result(id, new, b"new") if states.may_replace(new, old) else Result(id, old, b"old")
            assert found[id] == expected

    def test_within_one_batch_the_same_rule_holds(self, backend: ResultBackend) -> None:
        triples = list(itertools.product(STATES, repeat=2))
        backend.store(
            [each for old, new in triples for each in (Result(f"{old}>{new}", old, b"1"), Result(f"{old}>{new}", new, b"2"))]
        )
        found = backend.fetch([f"{old}>{new}" for old, new in triples])
        for old, new in triples:
            assert found[f"{old}>{new}"].state == (new if states.may_replace(new, old) else old)

    def test_the_same_twice_is_the_same_as_once(self, backend: ResultBackend) -> None:
        backend.store([success("a", b"1")])
        backend.store([success("a", b"1"), success("a", b"1")])
        assert backend.fetch(["a", "a"]) == {"a": success("a", b"1")}

    def test_the_forgotten_are_unknown_and_may_come_again(self, backend: ResultBackend) -> None:
        backend.store([success("a"), success("b")])
        backend.forget(["a", "unknown"])
        assert backend.fetch(["a", "b"]) == {"b": success("b")}
        backend.store([started("a")])
        assert backend.fetch(["a"]) == {"a": started("a")}

    # Waiting

    def test_wait_gives_what_is_final_at_once(self, backend: ResultBackend) -> None:
        backend.store([success("a"), started("b"), Result("c", states.FAILURE, b"x")])
        begun = pace()
        assert set(backend.wait({"a", "b", "c", "d"}, patience())) == {"a", "c"}
        assert pace() - begun < 10

    def test_wait_gives_nothing_after_its_timeout(self, backend: ResultBackend) -> None:
        backend.store([started("a")])
        begun, paced = time.monotonic(), pace()
        assert backend.wait(["a", "b"], 0.1) == {}
        assert time.monotonic() - begun >= 0.09
        assert pace() - paced < 5

    def waiting(self, backend: ResultBackend, *ids: str) -> tuple[threading.Thread, list[dict[str, Result]]]:
        """A thread that waits for these, and what it finds."""
        found: list[dict[str, Result]] = []
        entered = threading.Event()

        def wait() -> None:
            entered.set()
            found.append(backend.wait(ids, patience()))

        thread = threading.Thread(target=wait)
        thread.start()
        entered.wait(patience())
        return thread, found

    def test_wait_wakes_when_one_becomes_final(self, backend: ResultBackend, another: Another) -> None:
        thread, found = self.waiting(backend, "a", "b")
        other = another()
        other.store([started("a")])
        other.store([success("b")])
        thread.join(patience())
        assert found == [{"b": success("b")}]

    def test_close_ends_a_blocked_wait_within_a_second(self, another: Another) -> None:
        leaving = another()
        thread, found = self.waiting(leaving, "a")
        begun = pace()
        leaving.close()
        thread.join(patience())
        assert found == [{}]
        assert pace() - begun < 1
        leaving.close()

    # Age

    def test_a_result_is_gone_when_it_is_past_its_age(self, another: Another) -> None:
        brief = another(expires=0.2)
        brief.store([success("a"), success("b")])
        assert set(brief.fetch(["a", "b"])) == {"a", "b"}
        until(lambda: not brief.fetch(["a", "b"]))
        assert brief.wait(["a"], 0) == {}

    def test_after_its_age_even_a_weaker_result_is_taken(self, another: Another) -> None:
        brief, lasting = another(expires=0.1), another()
        brief.store([success("a")])
        until(lambda: not brief.fetch(["a"]))
        lasting.store([started("a")])
        assert lasting.fetch(["a"]) == {"a": started("a")}

    def test_sweep_removes_what_is_past_its_age_and_nothing_else(self, another: Another) -> None:
        brief, lasting = another(expires=0.1), another(expires=None)
        brief.store([success(str(number)) for number in range(50)])
        lasting.store([success("a")])
        until(lambda: not brief.fetch([str(number) for number in range(50)]))
        lasting.sweep()
        assert lasting.sweep() == 0
        assert lasting.fetch(["a", "0"]) == {"a": success("a")}

    def test_without_an_age_results_stay(self, another: Another) -> None:
        lasting = another(expires=None)
        lasting.store([success("a")])
        assert lasting.sweep() == 0
        assert lasting.fetch(["a"]) == {"a": success("a")}

    # Processes

    def test_a_forked_child_reads_and_writes(self, backend: ResultBackend) -> None:
        backend.store([success("a")])

        def live() -> bool:
            seen = set(backend.fetch(["a"])) == ({"a"} if self.shared_by_processes else set())
            backend.store([success("b")])
            return seen and backend.fetch(["b"]) == {"b": success("b")}

        assert in_a_child(live)
        assert set(backend.fetch(["a", "b"])) == ({"a", "b"} if self.shared_by_processes else {"a"})
