"""The sample shot's surfaces, built as shader nodes; knows bpy alone."""

from __future__ import annotations

from typing import Any

import bpy

Colour = tuple[float, float, float]


class Weave:
    """A material in the making: short words for adding and linking nodes."""

    def __init__(self, name: str) -> None:
        self.material = bpy.data.materials.new(name)
        if not self.material.node_tree:  # Blender 5 makes the tree at once
            self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.surface = self.tree.nodes["Principled BSDF"]

    def add(self, kind: str, settings: dict[str, Any] | None = None, **inputs: Any) -> Any:
        """A node; inputs are values or sockets, named with underscores for spaces."""
        node = self.tree.nodes.new(f"ShaderNode{kind}")
        for key, value in (settings or {}).items():
            setattr(node, key, value)
        for key, value in inputs.items():
            socket = node.inputs[key.replace("_", " ")]
            self.link(value, socket) if isinstance(value, bpy.types.NodeSocket) else setattr(socket, "default_value", value)
        return node

    def link(self, start: Any, end: Any) -> None:
        """Connect two sockets."""
        self.tree.links.new(start, end)

    def place(self, scale: tuple[float, float, float] = (1, 1, 1)) -> Any:
        """Coordinates of the object, in metres, times `scale`."""
        coordinates = self.add("TexCoord").outputs["Object"]
        return self.add("Mapping", Vector=coordinates, Scale=scale).outputs[0]

    def noise(self, place: Any, scale: float, detail: float = 5.0, rough: float = 0.62) -> Any:
        """Fractal noise 0..1."""
        return self.add("TexNoise", Vector=place, Scale=scale, Detail=detail, Roughness=rough).outputs[0]

    def ramp(self, value: Any, *stops: tuple[float, Colour]) -> Any:
        """Colours along a value."""
        node = self.add("ValToRGB", Fac=value)
        for number, (position, colour) in enumerate(stops):
            element = node.color_ramp.elements[number] if number < 2 else node.color_ramp.elements.new(position)
            element.position, element.color = position, (*colour, 1.0)
        return node.outputs["Color"]

    def mix(self, share: Any, first: Any, second: Any, how: str = "MIX") -> Any:
        """Two colours, blended."""
        node = self.add("MixRGB", {"blend_type": how})
        for socket, value in zip(node.inputs, (share, first, second), strict=True):
            if isinstance(value, bpy.types.NodeSocket):
                self.link(value, socket)
            else:
                socket.default_value = value if isinstance(value, float) else (*value, 1.0)
        return node.outputs[0]

    def finish(self, colour: Any, rough: float = 0.85, metal: float = 0.0) -> bpy.types.Material:
        """Wire the surface up. No bump: it would triple the time of a frame and hardly shows at this size."""
        self.link(colour, self.surface.inputs["Base Color"])
        self.surface.inputs["Roughness"].default_value, self.surface.inputs["Metallic"].default_value = rough, metal
        return self.material


def cobbles() -> bpy.types.Material:
    """Rounded paving stones in sandy joints."""
    weave = Weave("Cobbles")
    place = weave.place()
    warped = weave.mix(0.06, place, weave.add("TexNoise", Vector=place, Scale=5.0).outputs["Color"], "ADD")
    edge = weave.add("TexVoronoi", {"feature": "DISTANCE_TO_EDGE"}, Vector=warped, Scale=5.5).outputs["Distance"]
    tone = weave.add("TexVoronoi", Vector=warped, Scale=5.5).outputs["Color"]
    stone = weave.ramp(weave.noise(place, 22), (0.25, (0.10, 0.085, 0.07)), (0.75, (0.46, 0.40, 0.33)))
    grey = weave.add("RGBToBW", Color=tone).outputs[0]
    stone = weave.mix(0.65, stone, weave.ramp(grey, (0.25, (0.42, 0.38, 0.36)), (0.75, (1.0, 0.95, 0.86))), "MULTIPLY")
    stone = weave.mix(0.75, stone, weave.ramp(weave.noise(place, 0.9, 4), (0.35, (0.45, 0.42, 0.40)), (0.65, (1, 1, 1))), "MULTIPLY")
    joint = weave.ramp(edge, (0.015, (0, 0, 0)), (0.07, (1, 1, 1)))
    return weave.finish(weave.mix(joint, (0.09, 0.075, 0.055), stone))


def bricks(worn: float = 0.5) -> bpy.types.Material:
    """Brickwork under plaster that has come off in patches; `worn` moves the share of brick."""
    weave = Weave("Bricks")
    place = weave.place()
    separate = weave.add("SeparateXYZ", Vector=place)
    along = weave.add("Math", {"operation": "ADD"})
    weave.link(separate.outputs[0], along.inputs[0])
    weave.link(separate.outputs[1], along.inputs[1])
    wall = weave.add("CombineXYZ")
    weave.link(along.outputs[0], wall.inputs[0])
    weave.link(separate.outputs[2], wall.inputs[1])
    brick = weave.add("TexBrick", Vector=wall.outputs[0], Scale=1.0, Color1=(0.30, 0.105, 0.06, 1), Color2=(0.47, 0.20, 0.11, 1),
                      Mortar=(0.42, 0.37, 0.31, 1), Mortar_Size=0.012, Brick_Width=0.24, Row_Height=0.085)
    red = weave.mix(0.55, brick.outputs["Color"], weave.ramp(weave.noise(place, 26), (0.2, (0.25, 0.22, 0.2)), (0.8, (1, 1, 1))), "MULTIPLY")
    chalk = weave.ramp(weave.noise(place, 9, 6, 0.7), (0.25, (0.40, 0.32, 0.22)), (0.7, (0.74, 0.64, 0.49)))
    stain = weave.ramp(weave.noise(weave.place((1.4, 1.4, 0.35)), 1.3, 5), (0.35, (0.45, 0.42, 0.38)), (0.65, (1, 1, 1)))
    chalk = weave.mix(0.8, chalk, stain, "MULTIPLY")
    patch = weave.ramp(weave.noise(place, 0.9, 7, 0.6), (worn - 0.012, (1, 1, 1)), (worn + 0.012, (0, 0, 0)))
    return weave.finish(weave.mix(patch, chalk, red))


def wood(dark: Colour = (0.13, 0.06, 0.025), light: Colour = (0.47, 0.28, 0.13)) -> bpy.types.Material:
    """Boards with grain along the object's x axis."""
    weave = Weave("Wood")
    grain = weave.noise(weave.place((1.0, 14.0, 14.0)), 3.0, 6, 0.68)
    colour = weave.ramp(grain, (0.28, dark), (0.72, light))
    spots = weave.ramp(weave.noise(weave.place(), 4.0, 6), (0.35, (0.55, 0.52, 0.5)), (0.6, (1, 1, 1)))
    return weave.finish(weave.mix(0.7, colour, spots, "MULTIPLY"), 0.75)


def speckled(name: str, dark: Colour, light: Colour, scale: float = 14.0, rough: float = 0.8, metal: float = 0.0) -> bpy.types.Material:
    """Two colours mottled at several scales: clay, stone, paint, rind."""
    weave = Weave(name)
    mottle = weave.noise(weave.place(), scale, 5, 0.7)
    return weave.finish(weave.ramp(mottle, (0.3, dark), (0.7, light)), rough, metal)


def stripes(name: str, first: Colour, second: Colour, width: float) -> bpy.types.Material:
    """Woven cloth striped across the object's x axis."""
    weave = Weave(name)
    place = weave.place()
    band = weave.add("TexWave", {"bands_direction": "X"}, Vector=place, Scale=0.314 / width, Distortion=0.0).outputs[0]
    colour = weave.ramp(band, (0.48, first), (0.52, second))
    thread = weave.ramp(weave.noise(place, 60, 4, 0.7), (0.3, (0.6, 0.6, 0.6)), (0.7, (1, 1, 1)))
    return weave.finish(weave.mix(0.8, colour, thread, "MULTIPLY"), 0.95)
