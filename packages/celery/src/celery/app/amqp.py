"""Queues in kombu's words; messages are written by umbel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from celery._names import lacks
from umbel.messages import announce

_OF_MESSAGES = ("as_task_v2", "create_task_message", "send_task_message")
_OF_ROUTES = ("router", "Router", "routes", "flush_routes", "queues", "Queues", "default_queue", "queues_cls")
_CONSUMERS = "umbel's worker, or a kombu Consumer of your own on app.connection()"


class task_message(NamedTuple):  # noqa: N801 - Celery's name
    """A message before it is sent."""

    headers: Any
    properties: Any
    body: Any
    sent_event: Any


class Queues(dict[str, Any]):
    """kombu's queues by name; which of them a worker serves is a choice among them."""

    _consume_from: dict[str, Any] | None = None

    def __init__(
        self,
        queues: Any = None,
        default_exchange: Any = None,
        create_missing: bool = True,
        create_missing_queue_type: str | None = None,
        create_missing_queue_exchange_type: str | None = None,
        autoexchange: Any = None,
        max_priority: int | None = None,
        default_routing_key: str | None = None,
    ):
        super().__init__()
        self._named: dict[str, Any] = {}
        self.selected_too: list[str] = []
        """What `select_add` has named: a worker serves it beside what it was told."""
        self.aliases: dict[str, Any] = {}
        self.default_exchange = default_exchange
        self.default_routing_key = default_routing_key
        self.create_missing = create_missing
        self.create_missing_queue_type = create_missing_queue_type
        self.create_missing_queue_exchange_type = create_missing_queue_exchange_type
        self.autoexchange = autoexchange or _exchange
        self.max_priority = max_priority
        several = queues if isinstance(queues, Mapping) else {each.name: each for each in queues or ()}
        for name, queue in several.items():
            if hasattr(queue, "routing_key"):
                self.add(queue)
            else:
                self.add_compat(name, **(queue or {}))
        self._named = dict(self)

    def __missing__(self, name: str) -> Any:
        if self.create_missing:
            return self.add(self.new_missing(name))
        raise KeyError(name)

    def add(self, queue: Any, **kwargs: Any) -> Any:
        """Add a queue, or one of that name."""
        if isinstance(queue, str):
            return self.add_compat(queue, **kwargs)
        if queue.exchange is None or not queue.exchange.name:
            queue.exchange = self.default_exchange or queue.exchange
        if not queue.routing_key:
            queue.routing_key = self.default_routing_key or queue.name
        if self.max_priority is not None:
            queue.queue_arguments = {"x-max-priority": self.max_priority, **(queue.queue_arguments or {})}
        self[queue.name] = queue
        if queue.alias:
            self.aliases[queue.alias] = queue
        return queue

    def add_compat(self, name: str, **options: Any) -> Any:
        """Add a queue described by options."""
        from kombu import Queue

        options.setdefault("routing_key", options.get("binding_key"))
        if options["routing_key"] is None:
            options["routing_key"] = name
        return self.add(Queue.from_dict(name, **options))

    def new_missing(self, name: str) -> Any:
        """A queue of which nothing is known but its name."""
        from kombu import Queue

        return Queue(name, self.autoexchange(name), name)

    def format(self, indent: int = 0, indent_first: bool = True) -> str:
        """What a worker serves, as lines."""
        from celery.utils.text import indent as indented

        lines = [_line(queue) for _, queue in sorted(self.consume_from.items())]
        if indent_first:
            return indented("\n".join(lines), indent)
        return lines[0] + "\n" + indented("\n".join(lines[1:]), indent) if lines else ""

    def select(self, include: Any) -> None:
        """Serve only these."""
        if include:
            names = [include] if isinstance(include, str) else include
            self._consume_from = {name: self[name] for name in names}

    def select_add(self, queue: Any, **kwargs: Any) -> Any:
        """Serve this one, too."""
        found = self.add(queue, **kwargs)
        self.selected_too.append(found.name)
        if self._consume_from is not None:
            self._consume_from[found.name] = found
        return found

    def deselect(self, exclude: Any) -> None:
        """Do not serve these."""
        names: Iterable[str] = [exclude] if isinstance(exclude, str) else exclude or ()
        if self._consume_from is None:
            self._consume_from = {name: queue for name, queue in self._named.items() if name not in set(names)}
        else:
            for name in names:
                self._consume_from.pop(name, None)

    @property
    def consume_from(self) -> dict[str, Any]:
        """What a worker serves: those that the settings name, as long as nothing was selected."""
        return self._named if self._consume_from is None else self._consume_from


def _line(queue: Any) -> str:
    exchange = queue.exchange
    return f".> {queue.name:<16} exchange={exchange.name}({exchange.type}) key={queue.routing_key}"


def _exchange(name: str) -> Any:
    from kombu import Exchange

    return Exchange(name)


def _kombu(name: str) -> Any:
    class Lazily:
        """A class of kombu's, loaded when it is asked for."""

        def __get__(self, obj: Any, owner: Any) -> Any:
            import kombu

            return getattr(kombu, name)

    return Lazily()


class AMQP:
    """The app's queues and routes in kombu's words."""

    Connection = _kombu("Connection")
    BrokerConnection = Connection
    Consumer = _kombu("Consumer")
    Producer = _kombu("Producer")
    queues_cls = Queues
    autoexchange: Any = None
    argsrepr_maxsize = 1024
    kwargsrepr_maxsize = 1024

    def __init__(self, app: Any):
        self.app = app
        self._queues: Any = None
        self._router: Any = None
        self._routes: Any = None
        self._pool: Any = None

    def Queues(  # noqa: N802 - Celery's name
        self,
        queues: Any,
        create_missing: bool | None = None,
        create_missing_queue_type: str | None = None,
        create_missing_queue_exchange_type: str | None = None,
        autoexchange: Any = None,
        max_priority: int | None = None,
    ) -> Any:
        """Queues as `task_queues` has them."""
        conf = self.app.conf
        default = conf.task_default_queue
        if not queues:
            from kombu import Queue

            queues = (Queue(default, exchange=self.default_exchange, routing_key=conf.task_default_routing_key or default),)
        elif isinstance(queues, (list, tuple)) and all(isinstance(each, str) for each in queues):
            queues = {each: {} for each in queues}
        return self.queues_cls(
            queues,
            self.default_exchange,
            conf.task_create_missing_queues if create_missing is None else create_missing,
            create_missing_queue_type or conf.task_create_missing_queue_type,
            create_missing_queue_exchange_type or conf.task_create_missing_queue_exchange_type,
            autoexchange or self.autoexchange,
            conf.task_queue_max_priority if max_priority is None else max_priority,
            conf.task_default_routing_key,
        )

    def Router(self, queues: Any = None, create_missing: bool | None = None) -> Any:  # noqa: N802 - Celery's name
        """A router of the app's routes."""
        from celery.app.routes import Router

        missing = self.app.conf.task_create_missing_queues if create_missing is None else create_missing
        return Router(self.routes, queues or self.queues, missing, app=self.app)

    def flush_routes(self) -> None:
        """Read `task_routes` again."""
        from celery.app.routes import prepare

        self._routes = prepare(self.app.conf.task_routes)

    def TaskConsumer(self, channel: Any, queues: Any = None, accept: Any = None, **kw: Any) -> Any:  # noqa: N802
        """A consumer of messages."""
        raise lacks("app.amqp.TaskConsumer", _CONSUMERS)

    # Messages

    @property
    def create_task_message(self) -> Any:
        """What makes a message, of the protocol that the settings say."""
        return self.as_task_v2

    def as_task_v2(
        self,
        task_id: str,
        name: str,
        args: Any = None,
        kwargs: Any = None,
        countdown: Any = None,
        eta: Any = None,
        group_id: Any = None,
        group_index: Any = None,
        expires: Any = None,
        retries: int = 0,
        chord: Any = None,
        callbacks: Any = None,
        errbacks: Any = None,
        reply_to: Any = None,
        time_limit: Any = None,
        soft_time_limit: Any = None,
        create_sent_event: bool = False,
        root_id: Any = None,
        parent_id: Any = None,
        shadow: Any = None,
        chain: Any = None,
        now: Any = None,
        timezone: Any = None,
        origin: Any = None,
        ignore_result: Any = False,
        argsrepr: Any = None,
        kwargsrepr: Any = None,
        stamped_headers: Any = None,
        replaced_task_nesting: int = 0,
        **options: Any,
    ) -> task_message:
        """A message of protocol 2, which `send_task_message` sends."""
        if not isinstance(args or [], (list, tuple)):
            raise TypeError("task args must be a list or tuple")
        if not isinstance(kwargs or {}, Mapping):
            raise TypeError("task keyword arguments must be a mapping")
        said = {key: options[key] for key in stamped_headers or () if key in options}
        said |= {"countdown": countdown, "eta": eta, "group_id": group_id, "group_index": group_index, "expires": expires}
        said |= {"retries": retries, "chord": chord, "link": callbacks, "link_error": errbacks, "chain": chain}
        said |= {"time_limit": time_limit, "soft_time_limit": soft_time_limit, "shadow": shadow, "origin": origin}
        said |= {"root_id": root_id or task_id, "parent_id": parent_id, "ignore_result": ignore_result}
        said |= {"argsrepr": argsrepr, "kwargsrepr": kwargsrepr, "stamped_headers": stamped_headers}
        said["replaced_task_nesting"] = replaced_task_nesting
        said["queue"] = self.app.conf.task_default_queue  # it is addressed when it is sent
        draft = self.app.writer.draft(name, task_id, args or (), kwargs or {}, said)
        headers, body = announce.opened(draft.message)
        told = ("root_id", "parent_id", "retries", "eta", "expires")
        event = {"uuid": task_id, "name": name, "args": headers["argsrepr"], "kwargs": headers["kwargsrepr"]}
        return task_message(
            headers=headers,
            properties={"correlation_id": task_id, "reply_to": reply_to or ""},
            body=body,
            sent_event={**event, **{key: headers[key] for key in told}} if create_sent_event else None,
        )

    @property
    def send_task_message(self) -> Any:
        """What sends a message that was made here."""
        return self._send

    def _send(
        self,
        producer: Any,
        name: str,
        message: Any,
        exchange: Any = None,
        routing_key: Any = None,
        queue: Any = None,
        event_dispatcher: Any = None,
        retry: Any = None,
        retry_policy: Any = None,
        serializer: Any = None,
        delivery_mode: Any = None,
        compression: Any = None,
        declare: Any = None,
        headers: Any = None,
        exchange_type: Any = None,
        timeout: Any = None,
        confirm_timeout: Any = None,
        **kwargs: Any,
    ) -> None:
        """Send it by umbel, whatever the producer."""
        where = {"exchange": exchange, "routing_key": routing_key, "queue": queue}
        said = {**where, "serializer": serializer, "compression": compression, "delivery_mode": delivery_mode, **kwargs}
        sent, properties, body, event = message
        said["eta"], said["reply_to"] = sent.get("eta"), properties.get("reply_to") or ""
        said["properties"] = {key: value for key, value in properties.items() if key not in ("correlation_id", "reply_to")}
        draft = self.app.writer.draft(name, sent["id"], (), {}, said)
        announce.close(draft.message, {**sent, **(headers or {})}, body)
        envelope, then = draft.write(retry_policy)
        if event is not None:
            then = self.app.events.sent(envelope, then)
        self.app.outbox.send((envelope,), retry=retry, policy=retry_policy, then=then)

    def sends_itself(self) -> bool:
        """True if a subclass has a word in how messages are made, routed or sent."""
        return any(getattr(type(self), name) is not getattr(AMQP, name) for name in (*_OF_MESSAGES, *_OF_ROUTES))

    @property
    def default_queue(self) -> Any:
        """The queue of tasks that no route sends elsewhere."""
        return self.queues[self.app.conf.task_default_queue]

    @property
    def default_exchange(self) -> Any:
        """The exchange of queues that name none."""
        from kombu import Exchange

        conf = self.app.conf
        return Exchange(conf.task_default_exchange or conf.task_default_queue, conf.task_default_exchange_type)

    @property
    def queues(self) -> Any:
        """All queues."""
        if self._queues is None:
            self._queues = self.Queues(self.app.conf.task_queues)
        return self._queues

    @queues.setter
    def queues(self, queues: Any) -> None:
        self._queues = self.Queues(queues)

    @property
    def routes(self) -> Any:
        """All routes."""
        if self._routes is None:
            self.flush_routes()
        return self._routes

    @property
    def router(self) -> Any:
        """The router."""
        if self._router is None:
            self._router = self.Router()
        return self._router

    @router.setter
    def router(self, value: Any) -> None:
        self._router = value

    @property
    def producer_pool(self) -> Any:
        """A pool of kombu producers."""
        if self._pool is None:
            from kombu import pools

            self._pool = pools.producers[self.app.connection_for_write()]
        return self._pool

    publisher_pool = producer_pool

    @property
    def utc(self) -> bool:
        """True if times without a zone are UTC."""
        return bool(self.app.conf.enable_utc)
