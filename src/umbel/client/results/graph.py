"""What depends on what, as a graph that can be sorted and drawn (Graphviz's DOT)."""

from __future__ import annotations

from collections import deque
from collections.abc import ItemsView, Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class DOT:
    """The pieces of a drawing, as templates; `GraphFormatter` fills them in."""

    HEAD = "{type} {id} {{ graph [{attrs}]"
    TAIL = "}}"
    NODE = '"{label}" [{attrs}]'
    EDGE = '"{label}" {arrow} "{other}" [{attrs}]'
    ATTR = '{name}="{value}"'
    ATTRSEP = ", "
    DIRS = {"digraph": "->", "graph": "--"}  # noqa: RUF012 - a constant


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
        for obj, _ in pairs:
            self.add_arc(obj)
        for obj, hanging in pairs:
            for each in hanging:
                self.add_arc(each)
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
    """Draws: a label, and the colours and shapes of nodes and edges. `scheme` changes those of all."""

    scheme: Mapping[str, Any] = {"shape": "box", "style": "rounded"}
    node_scheme: Mapping[str, Any] = {"color": "steelblue4"}
    term_scheme: Mapping[str, Any] = {"color": "gray50"}
    edge_scheme: Mapping[str, Any] = {"color": "steelblue4"}
    graph_scheme: Mapping[str, Any] = {"rankdir": "LR"}

    def __init__(
        self,
        root: Any = None,
        type: str | None = None,
        id: str | None = None,
        indent: int = 0,
        inw: str = " " * 4,
        **scheme: Any,
    ):
        self.root = root
        self.type = type or "digraph"
        self.id = id or "dependencies"
        self.direction = DOT.DIRS[self.type]
        self.indent = indent
        self.inw = inw
        self.scheme = {**self.scheme, **scheme}

    def label(self, obj: Any) -> str:
        """The name of an object."""
        return str(obj)

    __call__ = label

    def head(self, **attrs: Any) -> str:
        """How a drawing begins."""
        root = {} if self.root is None else {"root": self.label(self.root)}
        return self._line(self.FMT(DOT.HEAD, attrs=self.attrs(attrs, {**self.graph_scheme, **root})))

    def tail(self) -> str:
        """How it ends."""
        return self._line(self.FMT(DOT.TAIL))

    def node(self, obj: Any, **attrs: Any) -> str:
        """An object on which others hang."""
        return self.draw_node(obj, self.node_scheme, attrs)

    def terminal_node(self, obj: Any, **attrs: Any) -> str:
        """An object on which nothing hangs."""
        return self.draw_node(obj, self.term_scheme, attrs)

    def edge(self, a: Any, b: Any, **attrs: Any) -> str:
        """That `b` hangs on `a`."""
        return self.draw_edge(a, b, attrs=attrs)

    def draw_node(self, obj: Any, scheme: Mapping[str, Any] | None = None, attrs: Mapping[str, Any] | None = None) -> str:
        """An object with these properties."""
        return self._line(self.FMT(DOT.NODE, label=_quoted(self.label(obj)), attrs=self.attrs(attrs or {}, scheme)), deeper=1)

    def draw_edge(self, a: Any, b: Any, scheme: Mapping[str, Any] | None = None, attrs: Mapping[str, Any] | None = None) -> str:
        """The same of an edge."""
        text = self.attrs(attrs or {}, {**self.edge_scheme, **(scheme or {})})
        return self._line(self.FMT(DOT.EDGE, label=_quoted(self.label(a)), other=_quoted(self.label(b)), attrs=text), deeper=1)

    def attrs(self, d: Mapping[str, Any], scheme: Mapping[str, Any] | None = None) -> str:
        """Properties in their brackets: those of all, those of `scheme`, those of `d`; the later ones count."""
        return DOT.ATTRSEP.join(self.attr(name, value) for name, value in {**self.scheme, **(scheme or {}), **d}.items())

    def attr(self, name: str, value: Any) -> str:
        """One of them."""
        return self.FMT(DOT.ATTR, name=name, value=_quoted(str(value)))

    def FMT(self, fmt: str, *args: Any, **kwargs: Any) -> str:  # noqa: N802 - Celery's name
        """A template, filled in."""
        return fmt.format(*args, **{"type": self.type, "id": self.id, "arrow": self.direction, **kwargs})

    def _line(self, text: str, deeper: int = 0) -> str:
        return self.inw * (self.indent + deeper) + text


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
