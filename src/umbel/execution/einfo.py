"""What hooks and receivers get to know about a failure."""

from __future__ import annotations

import traceback
from types import CodeType, TracebackType

from umbel.guise import also
from umbel.wire.brief import encodable

OWN_CODE: set[CodeType] = set()
"""The functions of umbel that stand between the worker and the task: their lines tell nobody anything."""

MOST_CHARACTERS = 100_000
"""Longer tracebacks lose their middle: some libraries put whole documents into their messages."""


_TRACEBACK, _CAUSE, _CONTEXT = (BaseException.__dict__[name] for name in ("__traceback__", "__cause__", "__context__"))
"""Past what a class has by these names: exceptions may be frozen."""


@also
class ExceptionInfo:
    """An exception with its traceback, as an object and as text. `str()` of it is the text."""

    internal = False

    def __init__(self, exception: BaseException):
        self.exception = exception
        self.type = type(exception)
        # Our own frames go from the exceptions too: they hold what holds them, and such circles keep the task's values alive.
        _strip_all(exception)
        self.tb = _TRACEBACK.__get__(exception)
        self.traceback = text_of(exception, self.tb)

    @property
    def exc_info(self) -> tuple[type[BaseException], BaseException, TracebackType | None]:
        """As `sys.exc_info()` gave it where it was raised."""
        return self.type, self.exception, self.tb

    def __str__(self) -> str:
        return self.traceback

    def __repr__(self) -> str:
        return f"<ExceptionInfo: {self.type.__qualname__}>"


def strip(tb: TracebackType | None) -> TracebackType | None:
    """The traceback without our own functions at its top."""
    while tb is not None and tb.tb_frame.f_code in OWN_CODE:
        tb = tb.tb_next
    return tb


def _strip_all(exception: BaseException) -> None:
    """Strip the exception, and those that it came from."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [exception]
    while todo:
        one = todo.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            _TRACEBACK.__set__(one, strip(_TRACEBACK.__get__(one)))
            todo += (_CAUSE.__get__(one), _CONTEXT.__get__(one))


def text_of(exception: BaseException, tb: TracebackType | None) -> str:
    """The traceback as Python prints it, bounded and encodable; never fails, whatever the exception's own methods do."""
    try:
        text = "".join(traceback.format_exception(type(exception), exception, tb))
    except Exception:  # an exception whose attributes raise
        text = "".join(traceback.format_tb(tb)) + f"{type(exception).__qualname__}: (its text cannot be made)\n"
    if len(text) > MOST_CHARACTERS:
        half = MOST_CHARACTERS // 2
        text = f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
    return encodable(text)
