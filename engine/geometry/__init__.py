"""Geometry: small pure functions on numpy arrays; imports nothing of the engine, no torch, no pycolmap."""
