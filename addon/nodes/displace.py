"""The node group that turns a depth sequence into geometry on every frame: a grid, unprojected through the lens. Imports bpy.

The object that carries it stands where the camera stands: the group works in the camera's own axes.
Attributes it leaves: UVMap (corner: place on the plate), depth and confidence; points also Col.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from . import tree
from .tree import Tree

NAME, VERSION = "Unflatten depth", 2
DEPTH, CONFIDENCE, COLOUR, UV = "depth", "confidence", "Col", "UVMap"


def depth_group() -> bpy.types.NodeTree:
    """The shared group; built at its first use."""
    for _ in build():
        pass
    return tree.find(NAME, VERSION)


def build() -> Iterator[None]:
    """Build the shared group where it is not there yet; a step between two parts is short enough to draw windows meanwhile."""
    if tree.find(NAME, VERSION) is not None:
        return
    with tree.building(NAME, "GeometryNodeTree", VERSION) as t:
        _declare(t)
        given = t.inputs()
        frame = t.math("SUBTRACT", t.math("ROUND", t.add("GeometryNodeInputSceneTime").outputs["Frame"]), given["Frame Shift"])
        grid, place = _grid(t, given)
        yield
        depth, sure = _sample_depth(t, given, place, frame)
        mesh = _store(t, grid.outputs["Mesh"], "FLOAT2", "CORNER", UV, place)
        mesh = _store(t, mesh, "FLOAT", "POINT", DEPTH, depth)
        mesh = _store(t, mesh, "FLOAT", "POINT", CONFIDENCE, sure)
        yield
        pushed = t.math("MULTIPLY", _named(t, DEPTH), given["Push Back"])
        mesh = t.add("GeometryNodeSetPosition", {"Geometry": mesh, "Position": _unproject(t, given, place, pushed)}).outputs[0]
        yield
        mesh = t.add("GeometryNodeDeleteGeometry", {"Geometry": mesh, "Selection": _unwanted(t, given)}, domain="POINT", mode="ALL").outputs[0]
        surface, points = _surface(t, given, mesh), _points(t, given, mesh, frame)
        yield
        t.finish(Geometry=_switch(t, given["Points"], surface, points))


def _declare(t: Tree) -> None:
    t.input("Geometry", "Geometry")
    t.output("Geometry", "Geometry")
    t.input("Depth", "Image", hint="Sequence of EXR files: red is depth along the axis, green is confidence")
    t.input("Plate", "Image", hint="The frames of the clip")
    t.input("Points", "Bool", False, hint="Points in place of a surface")
    t.input("Step", "Int", 2, 1, 64, "Pixels of depth between neighbours")
    t.input("Steepest", "Float", 86.0, 0.0, 90.0, "Faces steeper to the view than this many degrees are cut; 90 keeps all")
    t.input("Confidence", "Float", 0.0, 0.0, 1.0, "Depth less sure than this is left out")
    t.input("Far", "Float", 0.0, 0.0, hint="Depth beyond this is left out; 0 keeps all")
    t.input("Push Back", "Float", 1.0, 0.0, hint="Factor on depth: a little more than 1 sets an occluder behind the surface")
    t.input("Size", "Float", 1.0, 0.0, hint="Radius of points in steps")
    t.input("Material", "Material")
    t.input("Frame Shift", "Int", 0, hint="Scene frame minus the number in the file name")
    t.input("Width", "Int", 640, 1, hint="Of the depth, in pixels")
    t.input("Height", "Int", 360, 1)
    t.input("Focal", "Float", 1.0, 0.0, hint="Focal length in widths of the picture")
    t.input("Aspect", "Float", 0.5625, 0.0, hint="Height of the picture in widths")
    t.input("Centre X", "Float", 0.5, hint="Principal point in widths from the left")
    t.input("Centre Y", "Float", 0.5, hint="Principal point in heights from the top")
    for name in ("K1", "K2", "P1", "P2"):
        t.input(name, "Float", 0.0, hint="Distortion as OpenCV has it")
    t.input("Iterations", "Int", 0, 0, 64, "Rounds of undistortion; 0 for a lens without distortion")


def _grid(t: Tree, given: Any) -> tuple[Any, Any]:
    """The grid's node, and the place of each vertex on the plate (x right, y up, 0..1): pixel centres, the rim at the border."""
    counts = [t.math("MAXIMUM", t.math("FLOOR", t.math("DIVIDE", given[side], given["Step"])), 2.0) for side in ("Width", "Height")]
    spans = [t.math("SUBTRACT", count, 1.0) for count in counts]
    grid = t.add("GeometryNodeMeshGrid", {"Size X": spans[0], "Size Y": spans[1], "Vertices X": counts[0], "Vertices Y": counts[1]})
    at = t.split(t.add("GeometryNodeInputPosition").outputs[0])
    half = t.math("ADD", t.math("FLOOR", t.math("DIVIDE", given["Step"], 2.0)), 0.5)
    axes = []
    for axis, side in ((0, "Width"), (1, "Height")):
        centred = t.math("MULTIPLY", spans[axis], 0.5)
        # Rows count from the top, as they do in the file.
        index = t.math("ROUND", t.math("ADD" if axis == 0 else "SUBTRACT", centred, at[axis]))
        inner = t.math("DIVIDE", t.math("MULTIPLY_ADD", index, given["Step"], half), given[side])
        last = t.math("GREATER_THAN", index, t.math("SUBTRACT", spans[axis], 0.5))
        inside = t.math("MULTIPLY", t.math("GREATER_THAN", index, 0.5), t.math("SUBTRACT", 1.0, last))
        axes.append(t.math("MULTIPLY_ADD", inner, inside, last))
    return grid, t.join(axes[0], t.math("SUBTRACT", 1.0, axes[1]))


def _texture(t: Tree, image: Any, place: Any, frame: Any, interpolation: str) -> Any:
    return t.add(
        "GeometryNodeImageTexture", {"Image": image, "Vector": place, "Frame": frame}, interpolation=interpolation, extension="EXTEND",
    )


def _sample_depth(t: Tree, given: Any, place: Any, frame: Any) -> tuple[Any, Any]:
    read = t.split(_texture(t, given["Depth"], place, frame, "Closest").outputs["Color"])
    return read[0], read[1]


def _unproject(t: Tree, given: Any, place: Any, depth: Any) -> Any:
    """Position in Blender's camera axes (y up, z backward) of a place on the plate at a depth."""
    across, up, _ = t.split(place)
    down = t.math("SUBTRACT", 1.0, up)
    x = t.math("DIVIDE", t.math("SUBTRACT", across, given["Centre X"]), given["Focal"])
    y = t.math("DIVIDE", t.math("MULTIPLY", t.math("SUBTRACT", down, given["Centre Y"]), given["Aspect"]), given["Focal"])
    ray = t.split(_undistort(t, given, t.join(x, y)))
    return t.join(t.math("MULTIPLY", ray[0], depth), t.math("MULTIPLY", t.math("MULTIPLY", ray[1], depth), -1.0), t.math("MULTIPLY", depth, -1.0))


def _undistort(t: Tree, given: Any, seen: Any) -> Any:
    """Fixed-point inversion of OpenCV's lens model (k1 k2 p1 p2) for normalised coordinates."""
    begin, end = t.add("GeometryNodeRepeatInput"), t.add("GeometryNodeRepeatOutput")
    begin.pair_with_output(end)
    end.repeat_items.clear()
    end.repeat_items.new("VECTOR", "Ray")
    t.put(given["Iterations"], begin.inputs["Iterations"])
    t.put(seen, begin.inputs["Ray"])
    x, y, _ = t.split(begin.outputs["Ray"])
    xx, yy, xy = t.math("MULTIPLY", x, x), t.math("MULTIPLY", y, y), t.math("MULTIPLY", t.math("MULTIPLY", x, y), 2.0)
    rr = t.math("ADD", xx, yy)
    radial = t.math("MULTIPLY_ADD", t.math("MULTIPLY_ADD", given["K2"], rr, given["K1"]), rr, 1.0)
    shift_x = t.math("MULTIPLY_ADD", t.math("MULTIPLY_ADD", xx, 2.0, rr), given["P2"], t.math("MULTIPLY", given["P1"], xy))
    shift_y = t.math("MULTIPLY_ADD", t.math("MULTIPLY_ADD", yy, 2.0, rr), given["P1"], t.math("MULTIPLY", given["P2"], xy))
    seen_x, seen_y, _ = t.split(seen)
    t.put(
        t.join(t.math("DIVIDE", t.math("SUBTRACT", seen_x, shift_x), radial), t.math("DIVIDE", t.math("SUBTRACT", seen_y, shift_y), radial)),
        end.inputs["Ray"],
    )
    return end.outputs["Ray"]


def _unwanted(t: Tree, given: Any) -> Any:
    """Points without depth, beyond the far limit, or not sure enough."""
    depth = _named(t, DEPTH)
    beyond = t.math("MULTIPLY", t.math("GREATER_THAN", depth, given["Far"]), t.math("GREATER_THAN", given["Far"], 0.0))
    unsure = t.math("LESS_THAN", _named(t, CONFIDENCE), given["Confidence"])
    return t.math("ADD", t.math("ADD", beyond, unsure), t.math("LESS_THAN", depth, 1e-9))


def _surface(t: Tree, given: Any, mesh: Any) -> Any:
    """Faces across a depth edge cut away: those that stand steeper to the view than the limit."""
    ends = t.add("GeometryNodeInputMeshEdgeVertices").outputs
    near, far = (
        t.add("GeometryNodeFieldAtIndex", {"Value": _named(t, DEPTH), "Index": ends[f"Vertex Index {end}"]}, domain="POINT", data_type="FLOAT").outputs[0]
        for end in (1, 2)
    )
    jump = t.math("DIVIDE", t.math("ABSOLUTE", t.math("SUBTRACT", near, far)), t.math("MINIMUM", near, far))
    # Tangent of the angle between the surface's normal and the view: relative jump over the angle of one step.
    steepness = t.math("DIVIDE", t.math("MULTIPLY", t.math("MULTIPLY", jump, given["Focal"]), given["Width"]), given["Step"])
    angle = t.math("MULTIPLY", t.math("ARCTANGENT", steepness), 57.29577951308232)
    cut = t.add(
        "GeometryNodeDeleteGeometry", {"Geometry": mesh, "Selection": t.math("GREATER_THAN", angle, given["Steepest"])},
        domain="EDGE", mode="EDGE_FACE",
    ).outputs[0]
    # What the cut leaves without a face would stand there as loose dots and wires.
    lonely = t.math("LESS_THAN", t.add("GeometryNodeInputMeshEdgeNeighbors").outputs[0], 0.5)
    clean = t.add("GeometryNodeDeleteGeometry", {"Geometry": cut, "Selection": lonely}, domain="EDGE", mode="ALL").outputs[0]
    smooth = t.add("GeometryNodeSetShadeSmooth", {"Geometry": clean}).outputs[0]
    return t.add("GeometryNodeSetMaterial", {"Geometry": smooth, "Material": given["Material"]}).outputs[0]


def _points(t: Tree, given: Any, mesh: Any, frame: Any) -> Any:
    """Each vertex a point that covers its pixels, in the plate's colour (the surface has a texture instead)."""
    place = t.add("GeometryNodeInputNamedAttribute", {"Name": UV}, data_type="FLOAT_VECTOR").outputs[0]
    mesh = _store(t, mesh, "FLOAT_COLOR", "POINT", COLOUR, _texture(t, given["Plate"], place, frame, "Linear").outputs["Color"])
    step = t.math("DIVIDE", t.math("DIVIDE", given["Step"], given["Width"]), given["Focal"])
    radius = t.math("MULTIPLY", t.math("MULTIPLY", t.math("MULTIPLY", _named(t, DEPTH), step), 0.5), given["Size"])
    points = t.add("GeometryNodeMeshToPoints", {"Mesh": mesh, "Radius": radius}).outputs[0]
    return t.add("GeometryNodeSetMaterial", {"Geometry": points, "Material": given["Material"]}).outputs[0]


def _store(t: Tree, geometry: Any, kind: str, domain: str, name: str, value: Any) -> Any:
    return t.add(
        "GeometryNodeStoreNamedAttribute", {"Geometry": geometry, "Name": name, "Value": value}, data_type=kind, domain=domain,
    ).outputs[0]


def _named(t: Tree, name: str) -> Any:
    return t.add("GeometryNodeInputNamedAttribute", {"Name": name}, data_type="FLOAT").outputs[0]


def _switch(t: Tree, which: Any, no: Any, yes: Any) -> Any:
    return t.add("GeometryNodeSwitch", {"Switch": which, "False": no, "True": yes}, input_type="GEOMETRY").outputs[0]
