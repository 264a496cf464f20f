"""Arguments against the function they are meant for: misfits told in words, pydantic models made of plain values and back."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from umbel.errors import ImproperlyConfigured
from umbel.execution.runnable import Runnable
from umbel.wire.brief import brief

MOST_SHOWN = 300
"""So many characters of the arguments are told."""


def misfit(name: str, entry: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
    """What is wrong with the arguments, in one line; None if they fit (or nobody can tell)."""
    try:
        signature = inspect.signature(entry)
    except (TypeError, ValueError):  # written in C
        return None
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        given = ", ".join([*(brief(arg, 60) for arg in args), *(f"{key}={brief(value, 60)}" for key, value in kwargs.items())])
        if len(given) > MOST_SHOWN:
            given = f"{given[:MOST_SHOWN]}…"
        names = ", ".join(_name_of(parameter) for parameter in signature.parameters.values())
        return f"{name}({names}) cannot be called as {name}({given}): {error}"
    return None


def _name_of(parameter: inspect.Parameter) -> str:
    if parameter.kind is parameter.VAR_POSITIONAL:
        return f"*{parameter.name}"
    if parameter.kind is parameter.VAR_KEYWORD:
        return f"**{parameter.name}"
    return parameter.name if parameter.default is parameter.empty else f"{parameter.name}={brief(parameter.default, 30)}"


# -- pydantic -----------------------------------------------------------------------------------------------------------


def validated(task: Runnable, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """The arguments, with those annotated as models (or Optional models) turned into models."""
    signature, models, _ = _annotations(_function(task))
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:  # the call itself will tell what does not fit
        return args, kwargs
    for name in models.keys() & bound.arguments.keys():
        bound.arguments[name] = _model_from(task, models[name], bound.arguments[name])
    return bound.args, bound.kwargs


def dumped(task: Runnable, value: Any) -> Any:
    """The value; as plain JSON values if it is the model that the return annotation promises."""
    model = _annotations(_function(task))[2]
    if model is None or not isinstance(value, model.cls):
        return value
    return value.model_dump(**{"mode": "json", **(task.pydantic_dump_kwargs or {})})


def sendable(task: Runnable, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """The arguments of a call, models among them as plain JSON values, which become models again where they arrive."""
    base, options = _base_model(), {"mode": "json", **(task.pydantic_dump_kwargs or {})}

    def plain(value: Any) -> Any:
        return value.model_dump(**options) if isinstance(value, base) else value

    return [plain(value) for value in args], {name: plain(value) for name, value in kwargs.items()}


class _Model:
    """A model class, and whether None may stand for it."""

    def __init__(self, cls: type[Any], optional: bool):
        self.cls = cls
        self.optional = optional


def _model_from(task: Runnable, model: _Model, value: Any) -> Any:
    if isinstance(value, model.cls) or (value is None and model.optional):
        return value
    return model.cls.model_validate(value, strict=task.pydantic_strict, context=task.pydantic_context)


def _function(task: Runnable) -> Callable[..., Any]:
    run: Callable[..., Any] = getattr(task, "run", task.entry)
    return run


@lru_cache(maxsize=4096)
def _annotations(function: Callable[..., Any]) -> tuple[inspect.Signature, dict[str, _Model], _Model | None]:
    signature = inspect.signature(function)
    hints = typing.get_type_hints(inspect.unwrap(function))
    models = {name: model for name, hint in hints.items() if (model := _model_of(hint)) is not None}
    returned = models.pop("return", None)
    return signature, {name: model for name, model in models.items() if name in signature.parameters}, returned


def _model_of(hint: Any) -> _Model | None:
    options = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    classes = [option for option in options if option is not types.NoneType]
    if len(classes) == 1 and isinstance(classes[0], type) and issubclass(classes[0], _base_model()):
        return _Model(classes[0], optional=len(options) > 1)
    return None


def _base_model() -> type[Any]:
    try:
        import pydantic  # an extra, wanted only by tasks that say so
    except ImportError as error:
        raise ImproperlyConfigured("a task with pydantic=True needs pydantic: pip install 'umbel[pydantic]'") from error
    return pydantic.BaseModel
