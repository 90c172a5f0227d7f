"""Slow motion: when each picture is, how things move between two pictures, and the picture in between; no stage."""
