"""The demo's contact sheet: what went in and what came out, in one tidy picture; imports the engine's media room, no bpy.

    python contact_sheet.py FOLDER     FOLDER as `build.py demo` fills it: results/, store/, stills/; writes FOLDER/contact_sheet.png
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engine.media.frames import read_depth  # noqa: E402

TILE, GAP, HEAD, LABEL, COLUMNS = (640, 360), 20, 92, 34, 3
PAPER, INK, PALE = (24, 22, 20), (238, 236, 232), (160, 156, 150)  # BGR


class Demo:
    """What lies in the demo's folder, and the frame that is shown."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.results = folder, folder / "results"
        self.summary = json.loads((self.results / "summary.json").read_text(encoding="utf-8"))
        scene = folder / "stills" / "scene.json"
        self.scene: dict[str, Any] = json.loads(scene.read_text(encoding="utf-8")) if scene.is_file() else {}
        self.frames = self._frames_folder()
        numbers = sorted(int(path.stem) for path in self.frames.glob("*.png") if path.stem.isdigit())
        self.frame = int(self.scene.get("frame", numbers[len(numbers) // 2]))

    def _frames_folder(self) -> Path:
        done = sorted((self.folder / "store" / "frames").glob("*/done.json"), key=lambda path: path.stat().st_mtime)
        return done[-1].parent

    def plate(self) -> np.ndarray:
        """The frame that is shown, BGR."""
        return read(self.frames / f"{self.frame:06d}.png")

    def figures(self, stage: str) -> dict[str, Any]:
        """What a stage measured."""
        return self.summary.get("stages", {}).get(stage, {}).get("figures", {})


def read(path: Path) -> np.ndarray | None:
    """BGR uint8, or None where there is no such picture."""
    if not path.is_file():
        return None
    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    picture = picture if picture.dtype == np.uint8 else (picture / 257).astype(np.uint8)
    return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) if picture.ndim == 2 else picture[..., :3]


def depth_picture(demo: Demo) -> np.ndarray | None:
    """Inverse depth in turbo colours: near is warm."""
    path = demo.results / "depth" / f"{demo.frame:06d}.exr"
    if not path.is_file():
        return None
    depth = read_depth(path)[0]
    nearness = np.where(depth > 0, 1 / np.maximum(depth, 1e-9), 0)
    low, high = np.percentile(nearness[depth > 0], (1, 99.5)) if (depth > 0).any() else (0, 1)
    scaled = np.clip((nearness - low) / max(high - low, 1e-12), 0, 1)
    return cv2.applyColorMap((scaled * 255).astype(np.uint8), cv2.COLORMAP_TURBO)


def matte_picture(demo: Demo) -> np.ndarray | None:
    """Each subject in the colours of the plate over a checked ground, its outline in a colour of its own."""
    plate = demo.plate()
    found = sorted((demo.results / "mattes").glob(f"*/alpha/{demo.frame:06d}.png"))
    if not found:
        return None
    rows, columns = np.indices(plate.shape[:2]) // 16
    ground = np.where(((rows + columns) % 2)[..., None] == 0, 70, 95).astype(np.float32).repeat(3, 2)
    for path in found:
        alpha = cv2.resize(read(path)[..., :1], plate.shape[1::-1]).astype(np.float32)[..., None] / 255
        colour = read(path.parents[1] / "foreground" / path.name)
        colour = plate if colour is None else cv2.resize(colour, plate.shape[1::-1])
        ground = ground * (1 - alpha) + colour * alpha
    return ground.astype(np.uint8)


def between_picture(demo: Demo) -> tuple[np.ndarray | None, str]:
    """The new frame nearest to half-way after the one that is shown, and what it is."""
    path = demo.results / "slowmo" / "times.npz"
    if not path.is_file():
        return None, ""
    with np.load(path, allow_pickle=False) as content:
        times = content["time"]
    number = int(np.abs(times - (demo.frame + 0.5)).argmin())
    return read(demo.results / "slowmo" / f"{number + 1:06d}.png"), f"frame {times[number]:g}, made"


def fit(picture: np.ndarray, size: tuple[int, int] = TILE) -> np.ndarray:
    """The whole picture inside a tile, on dark ground."""
    scale = min(size[0] / picture.shape[1], size[1] / picture.shape[0])
    inner = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    small = cv2.resize(picture, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    tile = np.full((size[1], size[0], 3), 12, np.uint8)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    tile[top:top + inner[1], left:left + inner[0]] = small
    return tile


def write(sheet: np.ndarray, text: str, x: int, y: int, size: float, colour: tuple[int, int, int], thick: int = 1) -> int:
    """Text with its base line at y; returns where it ends."""
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(sheet, plain, (x, y), cv2.FONT_HERSHEY_DUPLEX, size, colour, thick, cv2.LINE_AA)
    return x + cv2.getTextSize(plain, cv2.FONT_HERSHEY_DUPLEX, size, thick)[0][0]


def refusal(demo: Demo, stage: str) -> str:
    """Why something is missing, in the engine's words."""
    failed = demo.summary.get("failed", {})
    failure = failed.get(stage) or next(iter(failed.values()), None)
    return f"{failure.get('what', '')} {failure.get('why', '')}".strip() if failure else "not made"


def empty(text: str) -> np.ndarray:
    """A tile that says why it is empty."""
    tile, line, y = np.full((TILE[1], TILE[0], 3), 32, np.uint8), "", 150
    for word in [*text.split(), ""]:
        if len(line) + len(word) > 52 or not word:
            write(tile, line, 40, y, 0.6, PALE)
            line, y = "", y + 30
        line += word + " "
    return tile


def headline(demo: Demo) -> tuple[str, str]:
    """The clip's name, and the facts of the run."""
    clip = Path(demo.scene.get("clip") or demo.summary.get("clip", "clip")).name
    facts = []
    path = demo.results / "camera" / "report.json"
    if path.is_file():
        report = json.loads(path.read_text(encoding="utf-8"))
        with np.load(demo.results / "camera" / "camera.npz", allow_pickle=False) as camera:
            size = camera["size"]
            facts.append(f"{int(camera['solved'].sum())} of {len(camera['solved'])} frames solved")
            facts.append(f"focal {np.median(camera['focal'][:, 0]) / size[0]:.3f} widths")
        error = report.get("error")
        if isinstance(error, dict):
            error = error.get("median") or error.get("mean")
        if isinstance(error, list):
            error = float(np.median([value for value in error if value is not None]))
        if isinstance(error, (int, float)):
            facts.append(f"error {error:.2f} px")
        facts += [str(report[key]) for key in ("verdict",) if report.get(key)]
        scale = report.get("scale")
        facts.append(f"scale {scale}" if isinstance(scale, str) else "")
    seconds = sum(stage.get("seconds", 0) for stage in demo.summary.get("stages", {}).values())
    facts.append(f"engine {seconds:.0f} s")
    return clip, "   ".join(fact for fact in facts if fact)


def compose(demo: Demo) -> np.ndarray:
    """Two rows of three tiles under a headline."""
    between, told = between_picture(demo)
    plate = demo.plate()
    tiles = [
        ("Plate", f"frame {demo.frame}", plate, ""),
        ("Depth", "near is warm", depth_picture(demo), "consistent_depth"),
        ("Matte", "", matte_picture(demo), "mattes"),
        ("Camera and depth from the side", "", read(demo.folder / "stills" / "side.png"), "solve"),
        ("Objects inserted", " and ".join(demo.scene.get("inserted", [])), read(demo.folder / "stills" / "insert.png"), "solve"),
        ("In between", told, between, "interpolate"),
    ]
    rows = -(-len(tiles) // COLUMNS)
    width = GAP + COLUMNS * (TILE[0] + GAP)
    sheet = np.full((HEAD + rows * (TILE[1] + LABEL + GAP), width, 3), PAPER, np.uint8)
    clip, facts = headline(demo)
    write(sheet, clip, GAP, 40, 1.0, INK)
    write(sheet, facts, GAP, 72, 0.6, PALE)
    for index, (name, note, picture, stage) in enumerate(tiles):
        x, y = GAP + index % COLUMNS * (TILE[0] + GAP), HEAD + index // COLUMNS * (TILE[1] + LABEL + GAP)
        sheet[y:y + TILE[1], x:x + TILE[0]] = fit(picture) if picture is not None else empty(refusal(demo, stage))
        end = write(sheet, name, x, y + TILE[1] + 24, 0.62, INK)
        write(sheet, note, end + 14, y + TILE[1] + 24, 0.55, PALE)
    return sheet


def main(folder: Path) -> None:
    """Write the sheet."""
    path = folder / "contact_sheet.png"
    path.write_bytes(cv2.imencode(".png", compose(Demo(folder)))[1].tobytes())
    print(f"  {'Contact sheet':<18}           {path}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
