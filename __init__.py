"""Unflatten gives a flat shot its space back: camera, depth, mattes and slow motion of a clip, in Blender."""


def register() -> None:  # imported here, so that tools without bpy may import this file
    from . import addon

    addon.register()


def unregister() -> None:
    from . import addon

    addon.unregister()
