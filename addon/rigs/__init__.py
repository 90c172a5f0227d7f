"""What artists do with a recovered scene. Imports bpy, importers and nodes."""
