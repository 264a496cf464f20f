"""What workers answer is drawn, whatever one of them has answered."""

from __future__ import annotations

from typing import Any

import pytest

from umbel.cli.answers import show
from umbel.cli.status import _row

GOOD: dict[str, Any] = {
    "active": [{"id": "1", "name": "proj.add", "args": [1], "kwargs": {}, "time_start": None}],
    "scheduled": [{"eta": None, "request": {"id": "1", "name": "proj.add", "args": [1], "kwargs": {}}}],
    "registered": ["proj.add"],
    "active_queues": [{"name": "proj.add", "exchange": None}],
    "stats": {"pid": "proj.add", "total": {"proj.add": 1}, "uptime": 3},
    "query_task": {"1": ["active", {"id": "1", "name": "proj.add"}]},
    "conf": {"name": "proj.add"},
}
ODD: tuple[Any, ...] = (
    *(
        5,
        "text",
        True,
        None,
        [5],
        [[]],
        ["x"],
        {"a": 1},
        {"a": [1]},
        [{"name": 5}],
        [{"request": 5}],
        [{"exchange": 5, "name": 1}],
    ),
    *({"pool": 5}, {"total": 5}, {"total": {"a": "b"}}, {"uptime": "long"}, {"pool": {"processes": 5}, "total": {}}),
)


@pytest.mark.parametrize("command", GOOD)
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_an_odd_answer_hides_no_other(capsys: pytest.CaptureFixture[str], command: str, odd: Any) -> None:
    show(command, {"odd@h\x1b[31m": odd, "good@h": GOOD[command]}, color=True)
    told = capsys.readouterr().out
    assert "good@h" in told
    assert "proj.add" in told
    assert "\x1b[31m" not in told


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_figures_of_any_shape_have_a_row(odd: Any) -> None:
    row = _row("w@h", odd, odd)
    assert row["worker"] == "w@h"
    assert row["uptime"] is None
