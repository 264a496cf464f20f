"""What is kept of calls that do not run."""

from __future__ import annotations

import pytest

from umbel import Umbel
from umbel.testing.kit import Kit


@pytest.mark.parametrize("how", ["expired", "revoked"])
def test_the_result_of_a_call_that_did_not_run_tells_of_it_too(how: str) -> None:
    with Umbel("proj", broker="memory://", set_as_current=False) as app, Kit(app, result_extended=True) as kit:

        @app.task
        def add(x: int, y: int) -> int:
            return x + y

        result = add.apply_async((1,), {"y": 2}, expires=5, queue="sums")
        if how == "expired":
            kit.advance(10)
        else:
            result.revoke()
        assert [ran.state for ran in kit.run()] == ["REVOKED"]
        assert (result.name, result.args, result.kwargs) == (add.name, [1], {"y": 2})
        assert (result.worker, result.retries, result.queue) == ("kit@here", 0, "sums")
        assert str(result.result) == how
