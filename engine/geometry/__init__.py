"""Geometry: small pure functions on numpy arrays (triangulation and fill on torch tensors); imports nothing of the engine, no pycolmap."""
