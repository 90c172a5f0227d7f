"""The contract: the one place that both Blender and the engine import; standard library only."""

CONTRACT = 2  # raised when an older add-on could not read what a newer engine says
