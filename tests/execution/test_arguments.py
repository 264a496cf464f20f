"""Arguments against functions, and pydantic's models."""

from __future__ import annotations

import sys
from typing import Optional

from pydantic import BaseModel

from umbel.errors import ImproperlyConfigured
from umbel.execution import arguments
from umbel.execution.outcome import Kind


class Album(BaseModel):
    name: str
    pictures: int = 0


class TestMisfits:
    def test_what_fits_is_no_misfit(self):
        assert arguments.misfit("f", lambda x, *, y: None, [1], {"y": 2}) is None

    def test_what_nobody_can_tell_is_no_misfit(self):
        assert arguments.misfit("int", int, ["x"], {}) is None
        assert arguments.misfit("f", 7, [], {}) is None

    def test_many_arguments_are_told_in_few_words(self):
        text = arguments.misfit("f", lambda: None, ["x" * 100] * 20, {})
        assert text.startswith("f() cannot be called as f('xxx")
        assert text.endswith("…): too many positional arguments")
        assert len(text) < 400


class TestPydantic:
    def test_annotated_arguments_become_models(self, house, document):
        @house.task(pydantic=True)
        def look(album: Album, other: Optional[Album], third: Album | None = None, n: int = 0):  # noqa: UP045
            seen.append((album, other, third, n))

        seen = []
        house.run(look, {"name": "a", "pictures": "3"}, None, kwargs={"third": {"name": "b"}})
        assert seen == [(Album(name="a", pictures=3), None, Album(name="b"), 0)]

    def test_a_returned_model_becomes_plain_values(self, house, document):
        @house.task(pydantic=True, pydantic_dump_kwargs={"exclude_defaults": True})
        def make() -> Album:
            return Album(name="a")

        @house.task(pydantic=True)
        def make_other() -> Album | None:
            return None

        @house.task(pydantic=True)
        async def make_async() -> Album:
            return Album(name="c")

        assert document(house.run(make).results[0]).result == {"name": "a"}
        assert document(house.run(make_other).results[0]).result is None
        assert document(house.run_async(make_async).results[0]).result == {"name": "c", "pictures": 0}

    def test_what_does_not_validate_is_a_failure(self, house):
        @house.task(pydantic=True, pydantic_strict=True)
        def look(album: Album):
            pass

        outcome = house.run(look, {"name": "a", "pictures": "3"})
        assert outcome.kind is Kind.FAILURE
        assert "ValidationError" in outcome.traceback

    def test_misfits_are_told_as_without_models(self, house):
        @house.task(pydantic=True)
        def look(album: Album):
            pass

        outcome = house.run(look)
        assert outcome.kind is Kind.MISFIT
        assert "missing a required argument: 'album'" in outcome.text

    def test_bound_tasks_are_validated_too(self, house):
        @house.task(pydantic=True, bind=True)
        def look(self, album: Album):
            return album.name

        assert house.run(look, {"name": "a"}).text == "'a'"

    def test_without_pydantic_the_extra_is_named(self, house, monkeypatch):
        @house.task(pydantic=True)
        def look(n: int):
            pass

        monkeypatch.setitem(sys.modules, "pydantic", None)
        outcome = house.run(look, 1)
        assert ImproperlyConfigured.__name__ in outcome.text
        assert "umbel[pydantic]" in outcome.text
