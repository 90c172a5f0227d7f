"""Geometry Nodes modifiers: attach a group once, set its inputs by their names. Imports bpy and versions."""

from __future__ import annotations

from typing import Any

import bpy

from .. import versions

NAME = "Unflatten"


def attach(target: bpy.types.Object, group: bpy.types.NodeTree) -> bpy.types.Modifier:
    """The modifier of that object that runs `group`; made where there is none, brought up to date where it is older."""
    found = target.modifiers.get(NAME)
    if found is None:
        found = target.modifiers.new(NAME, "NODES")
    if found.node_group != group:
        found.node_group = group
    return found


def identifier(modifier: bpy.types.Modifier, name: str) -> str:
    """The identifier of the input called `name`."""
    sockets = modifier.node_group.interface.items_tree
    return next(it.identifier for it in sockets if it.item_type == "SOCKET" and it.in_out == "INPUT" and it.name == name)


def set_inputs(modifier: bpy.types.Modifier, values: dict[str, Any]) -> None:
    """Set inputs by name; the object has to be told that something changed."""
    for name, value in values.items():
        versions.set_input(modifier, identifier(modifier, name), value)
    modifier.id_data.update_tag()


def get_input(modifier: bpy.types.Modifier, name: str) -> Any:
    """The value of an input by name."""
    return versions.get_input(modifier, identifier(modifier, name))


def input_path(modifier: bpy.types.Modifier, name: str) -> str:
    """The animation path of an input by name."""
    return versions.input_path(modifier, identifier(modifier, name))
