"""The node group that shows the vertices of a mesh as coloured points. Imports bpy."""

from __future__ import annotations

import bpy

from . import plate, tree

NAME, VERSION = "Unflatten points", 1
COLOUR = "Col"


def points_group() -> bpy.types.NodeTree:
    """Vertices to points of one size, coloured by their own attribute; built at its first use."""
    known = tree.find(NAME, VERSION)
    if known is not None:
        return known
    with tree.building(NAME, "GeometryNodeTree", VERSION) as t:
        t.input("Geometry", "Geometry")
        t.output("Geometry", "Geometry")
        t.input("Size", "Float", 0.02, 0.0, hint="Radius of each point")
        given = t.inputs()
        points = t.add("GeometryNodeMeshToPoints", {"Mesh": given["Geometry"], "Radius": given["Size"]}).outputs[0]
        return t.finish(Geometry=t.add("GeometryNodeSetMaterial", {"Geometry": points, "Material": plate.colour_material()}).outputs[0])
