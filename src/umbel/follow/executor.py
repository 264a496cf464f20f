"""Makes who runs messages and sees to all that follows, for workers, calls that run at once, and what is recovered."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from umbel.execution.documents import Documents
from umbel.execution.execute import Executor
from umbel.execution.retry import chance
from umbel.execution.runnable import Runnable
from umbel.follow.follow import Follow, Relay
from umbel.follow.join import Joiner
from umbel.messages.write import Writer


def make_executor(
    tasks: Mapping[str, Runnable],
    *,
    hostname: str,
    accept: frozenset[str],
    result_serializer: str = "json",
    result_extended: bool = False,
    result_facts: bool = False,
    relay: Relay | None = None,
    rand: Callable[[], float] = chance,
) -> Executor[Joiner]:
    """`relay` makes the messages that follow from runs: the app's, else one that knows no settings.

    With `result_extended` documents tell what was called, with `result_facts` all that the request says of it.
    """
    documents = Documents(hostname, result_serializer, extended=result_extended, facts=result_facts)
    joiner = Joiner(tasks, documents, Follow(tasks, documents, relay or Writer()), accept=accept)
    return Executor(tasks, documents, joiner, accept=accept, rand=rand)
