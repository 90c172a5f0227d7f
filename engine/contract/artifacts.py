"""The contract's kinds of result: files, types, shapes, units, axes; standard library only.

Everywhere: OpenCV camera (x right, y down, z forward), right-handed world with z up, `world_from_camera`,
pixel centres at +0.5, radians, frame numbers of the clip in every file name.
"""

from __future__ import annotations

from dataclasses import dataclass

FRAME = "%06d"  # the clip's frame number in a file name
LIKELY = "likely"  # folder, beside masks, of how surely each pixel moves: 8 bit, 0 still, 128 unknown, 255 moving


@dataclass(frozen=True)
class Kind:
    """A kind of result and the files that hold it inside a stage's folder."""

    name: str
    files: tuple[str, ...]
    content: str


KINDS = (
    Kind("frames", ("%06d.png", "clip.json", "sound.flac"),
         "display-referred RGB, upright, square pixels, 8 or 16 bit; clip.json: size [W, H], fps as 'num/den', "
         "frames (numbers), times (s), cuts (first frame after each), duplicates (frames equal to the one before), "
         "bits, source_size, source (path), kind (video or sequence), audio (bool), constant (frame n stands at (n - 1) / fps), "
         "turn (degrees clockwise from stored to upright), mirrored, aspect (of a stored pixel, 'num/den'), layer (of an EXR that holds several), "
         "colour (tags of H.273), focal_35mm (mm, where the file tells it); "
         "sound.flac: where there is audio, from the first frame to the end of the last"),
    Kind("flow", ("fwd/%06d_GAP.npz", "bwd/%06d_GAP.npz", "flow.json"),
         "flow [H, W, 2] float16 px from frame to frame + GAP (fwd) or frame - GAP (bwd); valid [H, W] uint8 by "
         "forward-backward check; flow.json: size [W, H] of the working grid, gaps, method"),
    Kind("masks", ("%06d.png", "evidence/%06d.png", "likely/%06d.png", "still/%06d.npz", "movers.json"),
         "8 bit, 255 on what moves by itself, at the size of the flow; evidence: 255 = five times the noise of the flow; from the stage "
         "'scene_movers' likely: 0 still, 128 unknown, 255 moving, and still, what parallax measures were all of it still: rho [H, W] float32, "
         "inverse depth; certainty (1 / relative error) and residual (px) [H, W] float16; sky [H, W] uint8"),
    Kind("camera", ("camera.npz", "report.json", "report.png", "colmap/"),
         "frame [T] int, world_from_camera [T, 4, 4] float64, focal [T, 2] px, centre [T, 2] px, distortion [T, 4] "
         "(k1 k2 p1 p2, OpenCV), solved [T] bool, interpolated [T] bool (not solved, the pose lies between those of solved "
         "neighbours), size [2] (W, H) to which focal and centre belong; report: method, "
         "scale (metric, assumed or arbitrary), reprojection error per frame, coverage, frames to distrust"),
    Kind("exports", ("colmap/", "transforms.json", "images/%06d.png", "points.ply", "camera.chan", "straight/%06d.png",
                     "maps/straighten.exr", "maps/bend.exr"),
         "the camera for nerfstudio (OpenGL axes, z up) and Nuke (y up, order ZXY, vertical field of view in degrees; frames without a pose "
         "are left out of both); plates without distortion, of the same size and focal length; ST maps: red and green are the place to fetch "
         "from, 0..1 from the left and from the bottom, one for each frame (maps/straighten/%06d.exr) where the lens zooms"),
    Kind("tracks", ("tracks.npz",),
         "one row per observation: track [N] int, frame [N] int, xy [N, 2] px at the camera's size, where the picture shows it; shift [N, 2] px "
         "of that which a rolling shutter did, where one was taken out: camera and points are at home at xy - shift"),
    Kind("points", ("points.ply", "points.npz"), "xyz [N, 3], rgb [N, 3] uint8, error [N] px, length [N] frames"),
    Kind("prior", ("%06d.npz", "prior.json"),
         "inverse [h, w] float32, larger is nearer, at the network's own size; prior.json: kind (none, relative: any scale and offset, "
         "scaled: any scale, metric: 1/m), network, licence"),
    Kind("depth", ("%06d.exr", "movers/%06d.png", "motion/%06d.npz", "depth.json", "depth.mp4", "npz/%06d.npz", "report/report.html"),
         "channel Z float32 along the optical axis in scene units, 0 = unknown; channel confidence 0..1, half; the same again in "
         "R (depth) and G (confidence), since Blender reads no other names; B is 0; "
         "depth.json: size [W, H], near and far (2nd and 98th percentile over the shot); "
         "movers: from the stage 'depth', what moves in the solved scene; motion, where it was learned with the camera: [h, w, 3] float16, "
         "of what moves by itself, to the next frame, world axes, scene units; the last three on request"),
    Kind("cloud", ("fused.ply", "%06d.ply", "cloud.mp4", "cloud.json"),
         "xyz float32 in the world, rgb uint8; %06d.ply and cloud.mp4, the points as a swinging camera sees them, on request; "
         "cloud.json: points, frames, cell (distance of fused points, scene units)"),
    Kind("mattes", ("<subject>/alpha/%06d.png", "<subject>/foreground/%06d.png", "<subject>/contours.json", "<subject>/picture.png", "mattes.json",
                    "preview.mp4", "<subject>/alpha.mp4", "<subject>/foreground.mp4"),
         "alpha 16 bit; straight foreground colour; picture: the subject cut out, at most 160 px, 8 bit RGBA; "
         "contours.json: size [W, H], pieces, each with first, last and "
         "points {frame: [[x, y] px, ...]} of one fixed count and closed, hole (bool); mattes.json: subjects with name, area, frames; "
         "films (.mp4 or .mov) on request"),
    Kind("slowmo", ("%06d.png", "times.npz", "sound.flac", "slowmo.mp4", "vectors/%06d.exr"),
         "time [M] float64: the source frame number, with fraction, of each output frame, numbered from 1; before, after [M] int and "
         "fraction [M]: the two frames that its picture lies between, across repeats and never across a cut; fps [2]: num, den at which it plays; "
         "sound.flac: the clip's sound as long as the pictures, where its speed is one; slowmo.mp4 (or .mov), on request; "
         "vectors, on request: px from the output frame before (X, Y) and to the one after (Z, W), signed as Blender's pass Vector"),
    Kind("retimed", ("camera.npz", "tracks.npz", "depth/%06d.exr", "alpha/<subject>/%06d.png", "alpha/<subject>/contours.json"),
         "as camera, tracks, depth and mattes, at the times of slowmo, numbered as its frames"),
)
BY_NAME = {kind.name: kind for kind in KINDS}
