"""The synth room: shots whose truth is known, made by code; imports numpy, cv2, torch and the contract, never a stage or bpy."""
