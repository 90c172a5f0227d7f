"""The mattes room: from binary masks to named subjects, soft edges, foreground colour and contours. Never imports bpy."""
