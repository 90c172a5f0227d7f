"""Camera room: keyframes mapped by pycolmap, one way after another until one is good; runs in the mapping child, no torch."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bundle import State
from .mapping import SEED, WEAK, Job, blank, held, missed, shown
from .tracks import Tracks

SHARED = 30  # tracks that a pair of keyframes must share
GUESSES = (0.65, 1.1)  # focal lengths in widths, where the pictures do not tell
MAPPING = 20  # rounds of adjustment within a global mapping


def best(
    pycolmap: Any, job: Job, tracks: Tracks, use: NDArray[np.bool_], keys: list[int], folder: Path
) -> tuple[State, str]:
    """The keyframes as global mapping places them, and which way did; where it is weak, others are tried, and what misses least wins."""
    ways = [("global", job), ("incremental", job)]
    if not job.known:
        for share in GUESSES:
            guessed = replace(job, known=True, focal=share * max(job.size))
            ways += [("global, focal length first guessed", guessed), ("incremental, focal length first guessed", guessed)]
    if not use.all():  # what was taken for moving may be what is near
        ways.append(("global, masks set aside", job))
    kept = held(tracks)
    tried: list[tuple[float, int, State, str]] = []
    verified = ("", 0.0)
    for name, way in ways:
        mapper, _, more = name.partition(", ")
        few = shown(tracks, ~kept & (use | (more == "masks set aside")), keys)
        if verified != (more, way.focal):
            _verify(pycolmap, way, few, keys, folder)
            verified = (more, way.focal)
        state = _mapped(pycolmap, way, few, folder, mapper)
        tried.append((missed(state, tracks, use, keys), len(tried), state, name))
        if tried[-1][0] < WEAK:
            break
    _, _, state, name = min(tried)
    return state, name


def _verify(pycolmap: Any, job: Job, tracks: Tracks, keys: list[int], folder: Path) -> None:
    """The database of the keyframes, their matches checked against epipolar geometry, and a focal length guessed from that."""
    database = folder / "tracks.db"
    database.unlink(missing_ok=True)
    _fill(pycolmap, database, job, keys, tracks)
    print("verify", flush=True)
    verifier = pycolmap.GeometricVerifierOptions()
    verifier.num_threads = 1
    two_view = pycolmap.TwoViewGeometryOptions()
    two_view.ransac.random_seed, two_view.detect_watermark = SEED, False
    pycolmap.geometric_verification(database, verifier, two_view_geometry_options=two_view)
    if not job.known:
        calibration = pycolmap.ViewGraphCalibrationOptions()
        calibration.random_seed = SEED
        pycolmap.calibrate_view_graph(database, calibration)


def _mapped(pycolmap: Any, job: Job, tracks: Tracks, folder: Path, mapper: str) -> State:
    """The keyframes and their points, from the database in `folder`."""
    out = folder / "maps"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    print("map", flush=True)
    maps = _map(pycolmap, folder / "tracks.db", folder, out, job, mapper)
    return _state(job, tracks, max(maps.values(), key=lambda m: m.num_reg_images(), default=None))


def _fill(pycolmap: Any, path: Path, job: Job, keys: list[int], tracks: Tracks) -> None:
    """The database: one camera (one for each keyframe where the lens zooms), one image per keyframe, keypoints and matches from the tracks."""
    with pycolmap.Database.open(path) as database:
        rows = tracks.views(job.views)
        camera, rig = _new_camera(pycolmap, database, job)
        for number, key in enumerate(keys, 1):
            if job.zoom and number > 1:
                camera, rig = _new_camera(pycolmap, database, job)
            image = pycolmap.Image(name=f"{key:06d}", camera_id=camera.camera_id, image_id=number)
            database.write_image(image, use_image_id=True)
            frame = pycolmap.Frame()
            frame.rig_id = rig.rig_id
            frame.add_data_id(image.data_id)
            database.write_frame(frame)
            database.write_keypoints(number, tracks.xy[rows[key]].astype(np.float32))
        for i, a in enumerate(keys):
            for j in range(i + 1, len(keys)):
                first, second = tracks.pair(rows[a], rows[keys[j]])
                if len(first) < SHARED:
                    continue  # a later one may share more: what was lost may have been found again
                matches = np.stack([first - rows[a].start, second - rows[keys[j]].start], 1)
                database.write_matches(i + 1, j + 1, matches.astype(np.uint32))


def _new_camera(pycolmap: Any, database: Any, job: Job) -> tuple[Any, Any]:
    width, height = job.size
    parameters = [job.focal, width / 2, height / 2, 0.0]
    camera = pycolmap.Camera(
        model="SIMPLE_RADIAL", width=width, height=height, params=parameters, has_prior_focal_length=job.known,
    )
    camera.camera_id = database.write_camera(camera)
    rig = pycolmap.Rig()
    rig.add_ref_sensor(camera.sensor_id)
    rig.rig_id = database.write_rig(rig)
    return camera, rig


def _map(pycolmap: Any, database: Path, folder: Path, out: Path, job: Job, mapper: str) -> dict[int, Any]:
    if mapper == "incremental":
        options = pycolmap.IncrementalPipelineOptions()
        options.multiple_models, options.num_threads, options.random_seed, options.extract_colors = False, 1, SEED, False
        options.mapper.init_min_tri_angle, options.mapper.init_min_num_inliers = 3, 50
        options.mapper.abs_pose_min_num_inliers, options.mapper.init_max_forward_motion = 15, 1.0
        options.ba_refine_focal_length = not job.known
        return pycolmap.incremental_mapping(database, folder, out, options=options)
    options = pycolmap.GlobalPipelineOptions()
    options.num_threads, options.random_seed = 1, SEED
    inner = options.mapper
    inner.num_threads = inner.bundle_adjustment.ceres.solver_options.num_threads = 1
    inner.global_positioning.use_gpu = inner.bundle_adjustment.ceres.use_gpu = False
    for part in (inner, inner.rotation_averaging, inner.global_positioning, inner.retriangulation):
        part.random_seed = SEED
    inner.bundle_adjustment.refine_focal_length = not job.known
    inner.bundle_adjustment.ceres.solver_options.max_num_iterations = MAPPING  # it would creep along the valley of lenses and depths
    return pycolmap.global_mapping(database, folder, out, options=options)


def _state(job: Job, tracks: Tracks, best: Any) -> State:
    """What was mapped of the keyframes."""
    state = blank(job, tracks)
    lenses = np.full((job.views, 2), (job.focal, 0.0))
    for image in [] if best is None else best.images.values():
        if image.has_pose:
            view = int(image.name)
            state.pose[view, :3], state.posed[view] = image.cam_from_world().matrix(), True
            lenses[view] = best.cameras[image.camera_id].params[[0, 3]]
    if not state.posed.any():
        return state
    at = np.flatnonzero(state.posed)
    focal = state.focal if job.known else np.exp(np.interp(np.arange(job.views), at, np.log(np.maximum(lenses[at, 0], 1.0))))
    return replace(state, focal=focal, distortion=np.array([np.median(lenses[at, 1]), 0.0, 0.0, 0.0]))
