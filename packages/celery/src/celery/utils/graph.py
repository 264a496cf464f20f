"""What depends on what, as a graph that can be sorted and drawn."""

from umbel.client.results.graph import DOT as DOT
from umbel.client.results.graph import CycleError as CycleError
from umbel.client.results.graph import DependencyGraph as DependencyGraph
from umbel.client.results.graph import GraphFormatter as GraphFormatter

__all__ = ("DOT", "CycleError", "DependencyGraph", "GraphFormatter")
