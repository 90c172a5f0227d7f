"""A short hand for building node trees: sockets in, sockets out. Imports bpy alone."""

from __future__ import annotations

from typing import Any

import bpy

STAMP = "unflatten"


class Tree:
    """A node group in the making. Values may be sockets or plain numbers everywhere."""

    def __init__(self, group: bpy.types.NodeTree) -> None:
        self.group = group

    def input(self, name: str, kind: str, default: Any = None, low: float | None = None, high: float | None = None, hint: str = "") -> None:
        """Declare an input of the group."""
        socket = self.group.interface.new_socket(name=name, in_out="INPUT", socket_type=f"NodeSocket{kind}")
        if default is not None:
            socket.default_value = default
        if low is not None:
            socket.min_value = low
        if high is not None:
            socket.max_value = high
        socket.description = hint

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


def group(name: str, kind: str, version: int) -> tuple[bpy.types.NodeTree, bool]:
    """The shared node group of that name and version, and whether it is new and empty."""
    found = next((it for it in bpy.data.node_groups if it.get(STAMP) == f"{name} {version}" and it.library is None), None)
    if found is not None:
        return found, False
    made = bpy.data.node_groups.new(name, kind)
    made[STAMP] = f"{name} {version}"
    return made, True


def _arrange(group: bpy.types.NodeTree, end: bpy.types.Node) -> None:
    """Columns by distance from the output, so that an artist who opens the group can read it."""
    depth: dict[str, int] = {}

    def walk(node: bpy.types.Node, column: int) -> None:
        if depth.get(node.name, -1) >= column:
            return
        depth[node.name] = column
        for socket in node.inputs:
            for link in socket.links:
                walk(link.from_node, column + 1)

    walk(end, 0)
    rows: dict[int, int] = {}
    for node in group.nodes:
        column = depth.get(node.name, 0)
        node.location = (-220 * column, -180 * rows.get(column, 0))
        rows[column] = rows.get(column, 0) + 1
