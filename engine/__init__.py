"""The engine: everything that knows pixels. Empty, so that Blender may read engine.contract without waking torch."""
