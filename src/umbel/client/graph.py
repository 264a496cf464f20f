"""What depends on what, as a graph that can be sorted and drawn (Graphviz's DOT)."""

from __future__ import annotations

from collections import deque
from collections.abc import ItemsView, Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class DOT:
    """How the parts of a drawing are written."""

    HEAD = "\n{IN}{type} {id} {{\n{INp}graph [{attrs}]\n"
    ATTR = "{name}={value}"
    ATTRSEP = ", "
    NODE = '{INp}"{0}" [{attrs}]'
    EDGE = '{INp}"{0}" {dir} "{1}" [{attrs}]'
    TAIL = "{IN}}}"
    DIRS = {"graph": "--", "digraph": "->"}  # noqa: RUF012 - a constant


class CycleError(Exception):
    """Something depends on itself, over others."""


class File(Protocol):
    """What can be written to, text or bytes."""

    def write(self, data: Any, /) -> object:
        """Take this."""


class DependencyGraph:
    """Objects, each with those that hang on it.

    `it`: pairs of an object and the list of those. They need only be hashable.
    """

    def __init__(self, it: Iterable[tuple[Any, Iterable[Any]]] | None = None, formatter: GraphFormatter | None = None):
        self.formatter = formatter or GraphFormatter()
        self.adjacent: dict[Any, list[Any]] = {}
        if it is not None:
            self.update(it)

    def add_arc(self, obj: Any) -> None:
        """Take an object in."""
        self.adjacent.setdefault(obj, [])

    def add_edge(self, A: Any, B: Any) -> None:  # noqa: N803 - Celery's names
        """Let B, which may be new, hang on A, which is known."""
        self.adjacent[A].append(B)

    def connect(self, graph: DependencyGraph) -> None:
        """Take in all of another."""
        self.adjacent.update(graph.adjacent)

    def update(self, it: Iterable[tuple[Any, Iterable[Any]]]) -> None:
        """Take in objects, each with those that hang on it."""
        pairs = [(obj, list(hanging)) for obj, hanging in it]
        for obj, hanging in pairs:
            for each in (obj, *hanging):
                self.add_arc(each)
        for obj, hanging in pairs:
            for each in hanging:
                self.add_edge(obj, each)

    def topsort(self) -> list[Any]:
        """All objects, each after those that hang on it; CycleError if that cannot be."""
        done: dict[Any, bool] = {}
        order = []
        for root in self.adjacent:
            todo = [(root, iter(self.adjacent[root]))] if root not in done else []
            done.setdefault(root, False)
            while todo:
                obj, hanging = todo[-1]
                following = next((each for each in hanging if not done.get(each)), None)
                if following is None:
                    todo.pop()
                    done[obj] = True
                    order.append(obj)
                elif following in done:
                    raise CycleError(f"{following} depends on itself")
                else:
                    done[following] = False
                    todo.append((following, iter(self.adjacent.get(following, ()))))
        return order

    def valency_of(self, obj: Any) -> int:
        """How many hang on an object, near or far, over each way."""
        count, todo = 0, deque([obj])
        while todo:
            hanging = self.adjacent.get(todo.popleft(), [])
            count += len(hanging)
            todo.extend(hanging)
        return count

    def edges(self) -> list[Any]:
        """The objects on which others hang."""
        return [obj for obj, hanging in self.adjacent.items() if hanging]

    def to_dot(self, fh: File, formatter: GraphFormatter | None = None) -> None:
        """Write the drawing to a file, of text or of bytes."""
        draw = formatter or self.formatter
        seen: set[str] = set()
        lines = [draw.head()]
        for obj, hanging in self.adjacent.items():
            label = draw.label(obj)
            if label not in seen:
                seen.add(label)
                lines.append(draw.node(obj) if hanging else draw.terminal_node(obj))
            lines.extend(draw.edge(obj, each) for each in hanging)
        lines.append(draw.tail())
        for line in lines:
            try:
                fh.write(line + "\n")
            except TypeError:  # a file of bytes
                fh.write((line + "\n").encode())

    def format(self, obj: Any) -> Any:
        """An object as it is named in the drawing."""
        return self.formatter(obj)

    def items(self) -> ItemsView[Any, list[Any]]:
        """All objects, each with those that hang on it."""
        return self.adjacent.items()

    def iteritems(self) -> ItemsView[Any, list[Any]]:
        """The same."""
        return self.items()

    def repr_node(self, obj: Any, level: int = 1, fmt: str = "{0}({1})") -> str:
        """An object and all that hang on it, as lines of text."""
        lines = [fmt.format(obj, self.valency_of(obj))]
        todo = [(each, level) for each in reversed(self.adjacent.get(obj, []))]
        while todo:
            each, depth = todo.pop()
            lines.append(" " * 5 * depth + fmt.format(each, self.valency_of(each)))
            todo.extend((inner, depth + 1) for inner in reversed(self.adjacent.get(each, [])))
        return "\n".join(lines)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.adjacent)

    def __getitem__(self, obj: Any) -> list[Any]:
        return self.adjacent[obj]

    def __len__(self) -> int:
        return len(self.adjacent)

    def __contains__(self, obj: object) -> bool:
        return obj in self.adjacent

    def __repr__(self) -> str:
        return "\n".join(map(self.repr_node, self))


class GraphFormatter:
    """Draws: the colours and shapes of nodes and edges. `scheme` changes those of all."""

    _attr = DOT.ATTR.strip()
    _node = DOT.NODE.strip()
    _edge = DOT.EDGE.strip()
    _head = DOT.HEAD.strip()
    _tail = DOT.TAIL.strip()
    _attrsep = DOT.ATTRSEP
    _dirs = DOT.DIRS

    scheme: Mapping[str, Any] = {"shape": "box", "arrowhead": "vee", "style": "filled", "fontname": "HelveticaNeue"}
    edge_scheme: Mapping[str, Any] = {"color": "darkseagreen4", "arrowcolor": "black", "arrowsize": 0.7}
    node_scheme: Mapping[str, Any] = {"fillcolor": "palegreen3", "color": "palegreen4"}
    term_scheme: Mapping[str, Any] = {"fillcolor": "palegreen1", "color": "palegreen2"}
    graph_scheme: Mapping[str, Any] = {"bgcolor": "mintcream"}

    def __init__(
        self,
        root: Any = None,
        type: str | None = None,
        id: str | None = None,
        indent: int = 0,
        inw: str = " " * 4,
        **scheme: Any,
    ):
        self.id = id or "dependencies"
        self.root = root
        self.type = type or "digraph"
        self.direction = self._dirs[self.type]
        self.IN = inw * (indent or 0)
        self.INp = self.IN + inw
        self.scheme = {**self.scheme, **scheme}
        self.graph_scheme = {**self.graph_scheme, "root": self.label(self.root)}

    def attr(self, name: str, value: Any) -> str:
        """One of the properties in brackets."""
        return self.FMT(self._attr, name=name, value=f'"{value}"')

    def attrs(self, d: Mapping[str, Any], scheme: Mapping[str, Any] | None = None) -> str:
        """All of them: the general ones, those of `scheme` and `d`."""
        return self._attrsep.join(self.attr(name, value) for name, value in {**self.scheme, **(scheme or {}), **d}.items())

    def head(self, **attrs: Any) -> str:
        """How a drawing begins."""
        return self.FMT(self._head, id=self.id, type=self.type, attrs=self.attrs(attrs, self.graph_scheme))

    def tail(self) -> str:
        """How it ends."""
        return self.FMT(self._tail)

    def label(self, obj: Any) -> str:
        """The name of an object."""
        return str(obj)

    def node(self, obj: Any, **attrs: Any) -> str:
        """An object on which others hang."""
        return self.draw_node(obj, self.node_scheme, attrs)

    def terminal_node(self, obj: Any, **attrs: Any) -> str:
        """An object on which nothing hangs."""
        return self.draw_node(obj, self.term_scheme, attrs)

    def edge(self, a: Any, b: Any, **attrs: Any) -> str:
        """That `b` hangs on `a`."""
        return self.draw_edge(a, b, None, attrs)

    def draw_edge(self, a: Any, b: Any, scheme: Mapping[str, Any] | None = None, attrs: Mapping[str, Any] | None = None) -> str:
        """The same, with other properties."""
        text = self.attrs(attrs or {}, {**self.edge_scheme, **(scheme or {})})
        return self.FMT(self._edge, self.label(a), self.label(b), dir=self.direction, attrs=text)

    def draw_node(self, obj: Any, scheme: Mapping[str, Any] | None = None, attrs: Mapping[str, Any] | None = None) -> str:
        """An object with these properties."""
        return self.FMT(self._node, self.label(obj), attrs=self.attrs(attrs or {}, scheme))

    def FMT(self, fmt: str, *args: Any, **kwargs: Any) -> str:  # noqa: N802 - Celery's name
        """A part written."""
        return fmt.format(*args, **{**kwargs, "IN": self.IN, "INp": self.INp})

    def __call__(self, obj: Any) -> str:
        return self.label(obj)
