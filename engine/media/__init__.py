"""The media room: pictures and time. Reads clips, writes files; knows nothing of cameras, depth or networks."""
