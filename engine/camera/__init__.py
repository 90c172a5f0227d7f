"""Camera: what the stages movers, solve and orient are made of; imports geometry, no bpy, no torch."""
