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

NAME, VERSION = "Unflatten depth", 3
DEPTH, CONFIDENCE, COLOUR, UV = "depth", "confidence", "Col", "UVMap"
PLACE, READ = "place", "read"  # for the group alone


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
        step = _step(t, given)
        mesh, place = _grid(t, given, step)
        yield
        # Stored once on the points: a field is worked out anew wherever it is asked for, and corners are four times as many.
        mesh = _store(t, mesh, "FLOAT_VECTOR", "POINT", PLACE, place)
        mesh = _store(t, mesh, "FLOAT_VECTOR", "POINT", READ, _texture(t, given["Depth"], _named_vector(t, PLACE), frame, "Closest").outputs["Color"])
        depth, sure, _ = t.split(_named_vector(t, READ))
        mesh = _store(t, _store(t, mesh, "FLOAT", "POINT", DEPTH, depth), "FLOAT", "POINT", CONFIDENCE, sure)
        yield
        pushed = t.math("MULTIPLY", _named(t, DEPTH), given["Push Back"])
        mesh = t.add("GeometryNodeSetPosition", {"Geometry": mesh, "Position": _unproject(t, given, _named_vector(t, PLACE), pushed)}).outputs[0]
        yield
        bad = _bad_faces(t, given, step)
        yield
        surface = _surface(t, given, mesh, bad)
        yield
        points = _points(t, given, mesh, step, frame)
        yield
        t.finish(Geometry=_switch(t, given["Points"], surface, points))


def _declare(t: Tree) -> None:
    t.input("Geometry", "Geometry")
    t.output("Geometry", "Geometry")
    t.input("Depth", "Image", hint="Sequence of EXR files: red is depth along the axis, green is confidence")
    t.input("Plate", "Image", hint="The frames of the clip")
    t.input("Points", "Bool", False, hint="Points in place of a surface")
    t.input("Step", "Int", 2, 1, 64, "Pixels of depth between neighbours, in the viewport")
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
    t.input("Render Step", "Int", 1, 1, 64, "Pixels of depth between neighbours, in renders", after="Step")


def _step(t: Tree, given: Any) -> Any:
    """Coarse enough to play while it is looked at, fine when it is rendered."""
    seen = t.add("GeometryNodeIsViewport").outputs[0]
    return t.add("GeometryNodeSwitch", {"Switch": seen, "False": given["Render Step"], "True": given["Step"]}, input_type="INT").outputs[0]


def _grid(t: Tree, given: Any, step: Any) -> tuple[Any, Any]:
    """The grid, and the place of each vertex on the plate (x right, y up, 0..1): pixel centres, the rim at the border."""
    counts = [t.math("MAXIMUM", t.math("FLOOR", t.math("DIVIDE", given[side], step)), 2.0) for side in ("Width", "Height")]
    spans = [t.math("SUBTRACT", count, 1.0) for count in counts]
    grid = t.add("GeometryNodeMeshGrid", {"Size X": spans[0], "Size Y": spans[1], "Vertices X": counts[0], "Vertices Y": counts[1]})
    at = t.split(t.add("GeometryNodeInputPosition").outputs[0])
    half = t.math("ADD", t.math("FLOOR", t.math("DIVIDE", step, 2.0)), 0.5)
    axes = []
    for axis, side in ((0, "Width"), (1, "Height")):
        centred = t.math("MULTIPLY", spans[axis], 0.5)
        # Rows count from the top, as they do in the file.
        index = t.math("ROUND", t.math("ADD" if axis == 0 else "SUBTRACT", centred, at[axis]))
        inner = t.math("DIVIDE", t.math("MULTIPLY_ADD", index, step, half), given[side])
        last = t.math("GREATER_THAN", index, t.math("SUBTRACT", spans[axis], 0.5))
        inside = t.math("MULTIPLY", t.math("GREATER_THAN", index, 0.5), t.math("SUBTRACT", 1.0, last))
        axes.append(t.math("MULTIPLY_ADD", inner, inside, last))
    return grid.outputs["Mesh"], t.join(axes[0], t.math("SUBTRACT", 1.0, axes[1]))


def _texture(t: Tree, image: Any, place: Any, frame: Any, interpolation: str) -> Any:
    return t.add(
        "GeometryNodeImageTexture", {"Image": image, "Vector": place, "Frame": frame}, interpolation=interpolation, extension="EXTEND",
    )


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


def _bad_faces(t: Tree, given: Any, step: Any) -> Any:
    """Faces that want a corner, or hang across a depth edge: those that stand steeper to the view than the limit.

    A face asks the mean of its corners and edges: above zero, one of them is bad.
    """
    ends = t.add("GeometryNodeInputMeshEdgeVertices").outputs
    near, far = (
        t.add("GeometryNodeFieldAtIndex", {"Value": _named(t, DEPTH), "Index": ends[f"Vertex Index {end}"]}, domain="POINT", data_type="FLOAT").outputs[0]
        for end in (1, 2)
    )
    jump = t.math("DIVIDE", t.math("ABSOLUTE", t.math("SUBTRACT", near, far)), t.math("MINIMUM", near, far))
    # Tangent of the angle between the surface's normal and the view: relative jump over the angle of one step.
    steepness = t.math("DIVIDE", t.math("MULTIPLY", t.math("MULTIPLY", jump, given["Focal"]), given["Width"]), step)
    limit = t.math("TANGENT", t.math("MULTIPLY", t.math("MINIMUM", given["Steepest"], 89.9), 0.017453292519943295))
    steep = t.math("MULTIPLY", t.math("GREATER_THAN", steepness, limit), t.math("LESS_THAN", given["Steepest"], 89.9))
    return t.math("GREATER_THAN", t.math("ADD", _on(t, "EDGE", steep), _on(t, "POINT", _unwanted(t, given))), 0.0)


def _surface(t: Tree, given: Any, mesh: Any, bad: Any) -> Any:
    """The faces that are left; points and edges without a face go with those that are cut away."""
    cut = t.add("GeometryNodeDeleteGeometry", {"Geometry": mesh, "Selection": bad}, domain="FACE", mode="ALL").outputs[0]
    shown = _store(t, cut, "FLOAT2", "CORNER", UV, _named_vector(t, PLACE))
    smooth = t.add("GeometryNodeSetShadeSmooth", {"Geometry": _tidy(t, shown)}).outputs[0]
    return t.add("GeometryNodeSetMaterial", {"Geometry": smooth, "Material": given["Material"]}).outputs[0]


def _points(t: Tree, given: Any, mesh: Any, step: Any, frame: Any) -> Any:
    """Each vertex a point that covers its pixels, in the plate's colour (the surface has a texture instead)."""
    mesh = t.add("GeometryNodeDeleteGeometry", {"Geometry": mesh, "Selection": _unwanted(t, given)}, domain="POINT", mode="ALL").outputs[0]
    colour = _texture(t, given["Plate"], _named_vector(t, PLACE), frame, "Linear").outputs["Color"]
    mesh = _tidy(t, _store(t, mesh, "FLOAT_COLOR", "POINT", COLOUR, colour))
    step = t.math("DIVIDE", t.math("DIVIDE", step, given["Width"]), given["Focal"])
    radius = t.math("MULTIPLY", t.math("MULTIPLY", t.math("MULTIPLY", _named(t, DEPTH), step), 0.5), given["Size"])
    points = t.add("GeometryNodeMeshToPoints", {"Mesh": mesh, "Radius": radius}).outputs[0]
    return t.add("GeometryNodeSetMaterial", {"Geometry": points, "Material": given["Material"]}).outputs[0]


def _tidy(t: Tree, mesh: Any) -> Any:
    """Without what only this group needs."""
    for name in (PLACE, READ):
        mesh = t.add("GeometryNodeRemoveAttribute", {"Geometry": mesh, "Name": name}).outputs[0]
    return mesh


def _on(t: Tree, domain: str, value: Any) -> Any:
    """The value as its own domain has it, wherever it is asked for."""
    return t.add("GeometryNodeFieldOnDomain", {"Value": value}, domain=domain, data_type="FLOAT").outputs[0]


def _store(t: Tree, geometry: Any, kind: str, domain: str, name: str, value: Any) -> Any:
    return t.add(
        "GeometryNodeStoreNamedAttribute", {"Geometry": geometry, "Name": name, "Value": value}, data_type=kind, domain=domain,
    ).outputs[0]


def _named(t: Tree, name: str, kind: str = "FLOAT") -> Any:
    return t.add("GeometryNodeInputNamedAttribute", {"Name": name}, data_type=kind).outputs[0]


def _named_vector(t: Tree, name: str) -> Any:
    return _named(t, name, "FLOAT_VECTOR")


def _switch(t: Tree, which: Any, no: Any, yes: Any) -> Any:
    return t.add("GeometryNodeSwitch", {"Switch": which, "False": no, "True": yes}, input_type="GEOMETRY").outputs[0]
