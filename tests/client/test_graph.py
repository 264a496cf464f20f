"""What depends on what."""

from __future__ import annotations

import io

import pytest

from umbel.client.results.graph import CycleError, DependencyGraph, GraphFormatter


def test_each_comes_after_those_that_hang_on_it():
    graph = DependencyGraph([("A", ["B", "D"]), ("B", ["C"]), ("C", []), ("D", [])])
    assert graph.topsort() == ["C", "B", "D", "A"]
    assert [graph.valency_of(each) for each in graph] == [3, 1, 0, 0]
    assert repr(graph).splitlines()[:4] == ["A(3)", "     B(1)", "          C(0)", "     D(0)"]


def test_thousands_in_a_row_are_no_trouble():
    graph = DependencyGraph((number, [number + 1]) for number in range(5000))
    assert graph.topsort() == list(range(5000, -1, -1))
    assert len(graph.repr_node(4900).splitlines()) == 101


@pytest.mark.parametrize("pairs", [[("A", ["A"])], [("A", ["B"]), ("B", ["C"]), ("C", ["B"])]])
def test_what_depends_on_itself_is_told(pairs):
    with pytest.raises(CycleError, match="depends on itself"):
        DependencyGraph(pairs).topsort()


def test_two_become_one():
    graph = DependencyGraph([("A", ["B"])])
    graph.connect(DependencyGraph([("C", ["A"])]))
    assert dict(graph.items()) == {"A": [], "B": [], "C": ["A"]}
    graph.add_edge("A", "B")
    assert (graph.edges(), graph.format("A"), len(graph)) == (["A", "C"], "A", 3)


def test_it_is_drawn_into_files_of_text_and_of_bytes():
    graph = DependencyGraph([("A", ["B"])], formatter=GraphFormatter(root="A", color="red"))
    text, raw = io.StringIO(), io.BytesIO()
    graph.to_dot(text)
    graph.to_dot(raw)
    assert raw.getvalue().decode() == text.getvalue()
    head, *nodes, last, _ = text.getvalue().split("\n")
    assert (head.startswith("digraph dependencies {"), 'root="A"' in head, last) == (True, True, "}")
    assert [node.strip().partition(" [")[0] for node in nodes] == ['"A"', '"A" -> "B"', '"B"']
