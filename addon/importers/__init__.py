"""An artifact on disk becomes datablocks; doing it twice updates the same ones. Imports bpy and numpy, never the engine's rooms."""
