"""A short hand for building node trees: sockets in, sockets out. Imports bpy alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy

STAMP = "unflatten"


class Tree:
    """A node group in the making. Values may be sockets or plain numbers everywhere."""

    def __init__(self, group: bpy.types.NodeTree) -> None:
        self.group = group

    def input(
        self, name: str, kind: str, default: Any = None, low: float | None = None, high: float | None = None, hint: str = "", after: str = "",
    ) -> None:
        """Declare an input of the group; one that came later is declared last and shown `after` another: older files keep their values."""
        socket = self.group.interface.new_socket(name=name, in_out="INPUT", socket_type=f"NodeSocket{kind}")
        if default is not None:
            socket.default_value = default
        if low is not None:
            socket.min_value = low
        if high is not None:
            socket.max_value = high
        socket.description = hint
        if after:
            shown = self.group.interface
            shown.move(socket, next(it.position for it in shown.items_tree if it.name == after) + 1)

    def output(self, name: str, kind: str) -> None:
        """Declare an output of the group."""
        self.group.interface.new_socket(name=name, in_out="OUTPUT", socket_type=f"NodeSocket{kind}")

    def inputs(self) -> Any:
        """The sockets that bring the group's inputs."""
        return self.group.nodes.new("NodeGroupInput").outputs

    def add(self, kind: str, inputs: dict[Any, Any] | None = None, **settings: Any) -> Any:
        """A node; `inputs` by name or index. Returns the node."""
        node = self.group.nodes.new(kind)
        for name, value in settings.items():
            setattr(node, name, value)
        for key, value in (inputs or {}).items():
            self.put(value, node.inputs[key])
        return node

    def put(self, value: Any, socket: Any) -> None:
        """Link or set."""
        if isinstance(value, bpy.types.NodeSocket):
            self.group.links.new(value, socket)
        elif value is not None:
            socket.default_value = value

    def math(self, operation: str, a: Any, b: Any = None, c: Any = None) -> Any:
        """A scalar."""
        node = self.add("ShaderNodeMath", operation=operation)
        for socket, value in zip(node.inputs, (a, b, c)):
            self.put(value, socket)
        return node.outputs[0]

    def vector(self, operation: str, a: Any, b: Any = None) -> Any:
        """A vector."""
        node = self.add("ShaderNodeVectorMath", operation=operation)
        for socket, value in zip(node.inputs, (a, b)):
            self.put(value, socket)
        return node.outputs["Vector"]

    def join(self, x: Any, y: Any, z: Any = 0.0) -> Any:
        """Three scalars as a vector."""
        return self.add("ShaderNodeCombineXYZ", {0: x, 1: y, 2: z}).outputs[0]

    def split(self, vector: Any) -> Any:
        """The three scalars of a vector."""
        return self.add("ShaderNodeSeparateXYZ", {0: vector}).outputs

    def finish(self, **outputs: Any) -> bpy.types.NodeTree:
        """Connect the outputs by name and lay the nodes out from left to right."""
        end = self.group.nodes.new("NodeGroupOutput")
        for name, value in outputs.items():
            self.put(value, end.inputs[name])
        _arrange(self.group, end)
        return self.group


def find(name: str, version: int) -> bpy.types.NodeTree | None:
    """The shared node group of that name and version, where it is built already."""
    return next((it for it in bpy.data.node_groups if it.get(STAMP) == f"{name} {version}" and it.library is None), None)


@contextmanager
def building(name: str, kind: str, version: int) -> Iterator[Tree]:
    """A new shared group. It is stamped when it is whole; one that is left half-built goes away."""
    made, whole = bpy.data.node_groups.new(name, kind), False
    try:
        yield Tree(made)
        made[STAMP] = f"{name} {version}"
        whole = True
    finally:
        if not whole:
            bpy.data.node_groups.remove(made)


def _arrange(group: bpy.types.NodeTree, end: bpy.types.Node) -> None:
    """Columns by distance from the output, so that an artist who opens the group can read it."""
    sources: dict[str, set[str]] = {}  # asked once: each socket's own list of links costs a walk over all of them
    for link in group.links:
        sources.setdefault(link.to_node.name, set()).add(link.from_node.name)
    depth: dict[str, int] = {}
    todo = [(end.name, 0)]
    while todo:
        name, column = todo.pop()
        if depth.get(name, -1) < column:
            depth[name] = column
            todo += [(source, column + 1) for source in sources.get(name, ())]
    rows: dict[int, int] = {}
    places = []
    for node in group.nodes:
        column = depth.get(node.name, 0)
        places += [-220.0 * column, -180.0 * rows.get(column, 0)]
        rows[column] = rows.get(column, 0) + 1
    group.nodes.foreach_set("location", places)  # all at once: each single one would update the group
