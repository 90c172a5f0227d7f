"""Dense room: what the depth stages share — a shot at its working size, sightings by neighbours, layers; imports no stage and no bpy."""
