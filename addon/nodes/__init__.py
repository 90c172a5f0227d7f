"""Node trees built in code. Imports bpy; knows neither clips nor files."""
