"""Camera room: structure from motion by pycolmap, in a child process because it can abort; no torch.

The folder holds job.json and tracks.npz (see Job), and receives solution.npz (see read_answer).
Keyframes are mapped from the tracks that seem still, every other view gets its pose from their points, all is adjusted
together; then the tracks that fit are the still ones, and where that changes much, all begins anew.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import keyframes, lenses
from .bundle import State, carrying, posed_by_points, triangulated
from .tracks import Tracks

START = "start.npz"
SHARED = 30  # tracks that a pair of keyframes must share
SEED = 7
COARSE, FINE = 4.0, 2.0  # px by which an observation may miss its point, before and after all is adjusted
CHANGED = 0.1  # part of the still tracks that must turn out to move to make another pass worth while
GUESSES = (0.65, 1.1)  # focal lengths in widths, where the pictures do not tell
MAPPING = 20  # rounds of adjustment within a global mapping
MAPPED = 300  # tracks of each keyframe that a map is made from: it is where the adjustment starts
HELD = 8  # one track of so many is kept from the maps, to judge them by
WEAK = 1.5  # px of mean error over the keyframes (at most COARSE each) at which another way of mapping is tried
PER_VIEW, ALL = (250, 600), 24000  # observations of a view that steer it, least and most, and of all views as far as those allow


@dataclass(frozen=True)
class Job:
    """What the child is asked. Sizes and focal length in px of the tracks' own picture size."""

    size: tuple[int, int]
    views: int
    focal: float  # guess, or the truth where `known`
    known: bool
    passes: int = 2
    loss: float = 0.3  # px, scale of the Cauchy loss
    model: str = "SIMPLE_RADIAL"
    zoom: bool = False


def per_view(views: int) -> int:
    """How many observations of each of so many views steer the solve: what costs little in a short shot takes minutes in a long one."""
    return int(np.clip(ALL // max(views, 1), *PER_VIEW))


def write_job(folder: Path, job: Job, tracks: Tracks, start: State | None = None, keys: list[int] | None = None) -> None:
    """Lay the job down for `main`; with a `start` nothing is mapped, its poses and those `keys` are taken."""
    folder.mkdir(parents=True, exist_ok=True)
    if start is not None:
        np.savez(folder / START, pose=start.pose, posed=start.posed, focal=start.focal, distortion=start.distortion, keys=np.array(keys, np.int64))
    (folder / "job.json").write_text(json.dumps(asdict(job)), encoding="utf-8")
    np.savez(folder / "tracks.npz", track=tracks.track, view=tracks.view, xy=tracks.xy, moving=tracks.moving)


def main(folder: Path) -> None:
    """The child: answer the job that lies in `folder`."""
    import pycolmap

    pycolmap.logging.minloglevel = 3
    pycolmap.set_random_seed(SEED)
    job = Job(**json.loads((folder / "job.json").read_text(encoding="utf-8")))
    job = replace(job, size=tuple(job.size))
    with np.load(folder / "tracks.npz", allow_pickle=False) as file:
        tracks = Tracks(file["track"], file["view"], file["xy"], file["moving"])
    start = folder / START
    answer = _adjusted(pycolmap, job, tracks, start) if start.is_file() else _solved(pycolmap, job, tracks, folder)
    state, use, keys, number, mapper = answer
    np.savez(
        folder / "solution.npz", pose=state.pose, posed=state.posed, points=state.points, focal=state.focal, distortion=state.distortion,
        use=use, keys=np.array(keys, np.int64), passes=number, mapper=np.array(mapper),
    )


def _solved(pycolmap: Any, job: Job, tracks: Tracks, folder: Path) -> tuple[State, NDArray[np.bool_], list[int], int, str]:
    """Mapped and adjusted: the state, the observations [N] it rests on, its keyframes, the number of passes, and by which way."""
    use, number = ~tracks.moving, 0
    while True:
        number += 1
        keys = keyframes.choose(tracks.where(use), job.views, job.size[0])
        state, mapper = _best_map(pycolmap, job, tracks, use, keys, folder)
        if state.posed.sum() < 3:
            return state, use, keys, number, mapper
        print("adjust", flush=True)
        state, fits = _completed(pycolmap, job, state, tracks, use)
        lost = float((use & ~fits).sum() / use.sum())
        use = fits
        if number >= job.passes or lost < CHANGED:
            return (*_finished(pycolmap, job, state, tracks, use, keys), keys, number, mapper)


def _adjusted(pycolmap: Any, job: Job, tracks: Tracks, start: Path) -> tuple[State, NDArray[np.bool_], list[int], int, str]:
    """The same from poses that are there already."""
    with np.load(start, allow_pickle=False) as file:
        blank, keys = np.full((int(tracks.track.max()) + 1, 3), np.nan), file["keys"].tolist()
        state = State(job.size, file["focal"], file["distortion"], file["pose"], file["posed"], blank)
    state, fits = _completed(pycolmap, job, state, tracks, ~tracks.moving)
    return (*_finished(pycolmap, job, state, tracks, fits, keys), keys, 1, "given")


def _best_map(
    pycolmap: Any, job: Job, tracks: Tracks, use: NDArray[np.bool_], keys: list[int], folder: Path
) -> tuple[State, str]:
    """The keyframes as global mapping places them; where it is weak, other ways are tried, and what misses least wins.

    Judged on tracks in `use` [N] that the maps have not seen and that three keyframes see, over all keyframes, placed or not, so
    that a map of few frames cannot win by leaving out the rest.
    """
    ways = [("global", job), ("incremental", job)]
    if not job.known:
        for share in GUESSES:
            guessed = replace(job, known=True, focal=share * max(job.size))
            ways += [("global, focal length first guessed", guessed), ("incremental, focal length first guessed", guessed)]
    if not use.all():  # what was taken for moving may be what is near
        ways.append(("global, masks set aside", job))
    held = tracks.track % HELD == 0
    of_keys = tracks.where(use & held & np.isin(tracks.view, keys)).long(3)
    tried: list[tuple[float, int, State, str]] = []
    verified = ("", 0.0)
    for name, way in ways:
        mapper, _, more = name.partition(", ")
        shown = _shown(tracks, ~held & (use | (more == "masks set aside")), keys)
        if verified != (more, way.focal):
            _verify(pycolmap, way, shown, keys, folder)
            verified = (more, way.focal)
        state = _mapped(pycolmap, way, shown, folder, mapper)
        missed = triangulated(state, of_keys, COARSE).errors(of_keys) if state.posed.sum() >= 3 and len(of_keys.track) else np.full(1, COARSE)
        tried.append((float(np.minimum(missed, COARSE).mean()), len(tried), state, name))
        if tried[-1][0] < WEAK:
            break
    _, _, state, name = min(tried)
    return state, name


def _shown(tracks: Tracks, use: NDArray[np.bool_], keys: list[int]) -> Tracks:
    """What a map is made from: enough of the tracks in `use` [N] that two keyframes see."""
    return tracks.where(carrying(tracks, tracks.shared(use & np.isin(tracks.view, keys)), MAPPED, mixed=True))


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
    pose, posed = np.tile(np.eye(4), (job.views, 1, 1)), np.zeros(job.views, bool)
    lenses = np.full((job.views, 2), (job.focal, 0.0))
    for image in [] if best is None else best.images.values():
        if image.has_pose:
            view = int(image.name)
            pose[view, :3], posed[view] = image.cam_from_world().matrix(), True
            lenses[view] = best.cameras[image.camera_id].params[[0, 3]]
    focal, distortion = np.full(job.views, job.focal), np.zeros(4)
    if posed.any():
        at = np.flatnonzero(posed)
        focal = focal if job.known else np.exp(np.interp(np.arange(job.views), at, np.log(np.maximum(lenses[at, 0], 1.0))))
        distortion[0] = np.median(lenses[at, 1])
    return State(job.size, focal, distortion, pose, posed, np.full((int(tracks.track.max()) + 1, 3), np.nan))


def _completed(pycolmap: Any, job: Job, state: State, tracks: Tracks, use: NDArray[np.bool_]) -> tuple[State, NDArray[np.bool_]]:
    """Every view posed that can be, roughly adjusted; and the observations [N] of all tracks that fit, moving or not."""
    still = tracks.where(use)
    state = posed_by_points(pycolmap, triangulated(state, still, COARSE), still)
    state = triangulated(state, still, COARSE)
    chosen = carrying(still, state.errors(still) < COARSE, PER_VIEW[0] // 2)
    state = lenses.adjusted(pycolmap, state, still, chosen, job.loss, job.model, job.known, job.zoom, 12)
    state = posed_by_points(pycolmap, triangulated(state, still, COARSE), still)
    state = triangulated(state, tracks, COARSE)
    return state, np.isfinite(state.points[tracks.track, 0])


def _finished(pycolmap: Any, job: Job, state: State, tracks: Tracks, use: NDArray[np.bool_], keys: list[int]) -> tuple[State, NDArray[np.bool_]]:
    """All adjusted by what fits, with the lens that the shot tells; every point of a still track, and the observations [N] that the solve rests on."""
    print("finish", flush=True)
    fits = use & (state.errors(tracks) < FINE)
    chosen, model = carrying(tracks, fits, per_view(job.views)), job.model
    if not job.zoom:
        model, state = lenses.choose(pycolmap, state, tracks, fits & np.isin(tracks.view, keys), job.loss, job.known)
    state = lenses.adjusted(pycolmap, state, tracks, chosen, job.loss, model, job.known, job.zoom, 12 if lenses.short(state) and not job.zoom else 30)
    state = triangulated(state, tracks, FINE)
    return state, state.errors(tracks) < FINE


def read_answer(folder: Path, job: Job) -> tuple[State, NDArray[np.bool_], list[int], str]:
    """What the child found: the state, the observations [N] it rests on, keyframes, and by which way; nothing is posed where it found nothing."""
    with np.load(folder / "solution.npz", allow_pickle=False) as file:
        state = State(job.size, file["focal"], file["distortion"], file["pose"], file["posed"], file["points"])
        passes = int(file["passes"])
        name, _, guess = str(file["mapper"]).partition(", ")
        way = f"{name} mapping{f' ({guess})' if guess else ''} of {len(file['keys'])} keyframes, {passes} {'pass' if passes == 1 else 'passes'}"
        return state, file["use"], file["keys"].tolist(), way
