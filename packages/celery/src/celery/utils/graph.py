"""What depends on what, as a graph that can be sorted and drawn."""

from umbel.client.graph import DOT as DOT
from umbel.client.graph import CycleError as CycleError
from umbel.client.graph import DependencyGraph as DependencyGraph
from umbel.client.graph import GraphFormatter as GraphFormatter

__all__ = ("DOT", "CycleError", "DependencyGraph", "GraphFormatter")
