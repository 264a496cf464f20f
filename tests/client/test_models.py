"""Pydantic's models as arguments, and serializers of one's own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.worker.serving import serving

from umbel import Umbel, register_serializer
from umbel.testing.waiting import patience
from umbel.wire import encoding

pydantic = pytest.importorskip("pydantic")


class Order(pydantic.BaseModel):
    """What is bought."""

    item: str
    count: int = 1


class Bill(pydantic.BaseModel):
    """What it costs."""

    total: int


def bill(order: Order, price: int | None = None) -> Bill:
    """A task's code that takes models, and gives one."""
    assert isinstance(order, Order)
    return Bill(total=order.count * (price or 1))


@pytest.fixture
def app():
    with Umbel("models", broker="memory://models") as made:
        yield made


def test_models_are_arguments_of_all_ways_to_call(app: Umbel) -> None:
    task: Any = app.task(pydantic=True, name="bill")(bill)
    given = Order(item="tea", count=3)
    assert task(given, price=2) == task({"item": "tea", "count": "3"}, 2) == {"total": 6}
    assert task.apply((given,)).get() == {"total": 3}
    with pytest.raises(pydantic.ValidationError):
        task({"item": "tea", "count": "many"})
    with serving(app):
        assert task.delay(given, price=5).get(timeout=patience()) == {"total": 15}
        assert task.delay(order=given).get(timeout=patience()) == {"total": 3}
        assert task.delay_many([(given,), (given, 2)]).get(timeout=patience()) == [{"total": 3}, {"total": 6}]
        assert task.s(given).apply_async().get(timeout=patience()) == {"total": 3}
        wrong = task.delay({"item": "tea", "count": "many"})
        assert type(wrong.get(timeout=patience(), propagate=False)).__name__ == "ValidationError"
    app.conf.task_always_eager = True
    assert task.delay(given).get() == {"total": 3}


def test_a_serializer_of_ones_own_is_found_by_its_name(app: Umbel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_by_name", dict(encoding._by_name))
    monkeypatch.setattr(encoding, "by_type", dict(encoding.by_type))
    register_serializer(
        "shout", lambda value: json.dumps(value).upper(), lambda data: json.loads(data.lower()), "application/x-shout"
    )
    app.conf.accept_content = ["shout", "json"]
    task = app.task(name="echo", serializer="shout")(lambda text: text)
    with serving(app):
        assert task.delay("Words").get(timeout=patience()) == "words"
