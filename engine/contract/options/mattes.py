"""Options of the stage 'mattes'; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from ..option import option
from .films import CODECS


@dataclass(frozen=True)
class Mattes:
    """Soft mattes and editable contours."""

    method: str = option(
        "motion", "Method", "What is cut out",
        choices=(
            ("motion", "What moves", "Each thing that moves by itself, found by its motion and its colours"),
            ("drawn", "Drawn masks", "What you drew, boxed or pointed at on one or more frames, carried through the shot"),
            ("people", "People", "People, by the network Robust Video Matting; its weights must be installed or given"),
        ),
    )
    drawn: str = option(
        "", "Drawn masks", "Folder of masks, white on the subject, each named by its frame number; a soft one stays as it is on its frame",
        kind="folder", only=("method", "drawn"),
    )
    prompts: str = option(
        "", "Boxes, points", "In parts of the picture: '12 box 0.2,0.1,0.5,0.9; 30 in 0.4,0.5; 30 out 0.1,0.5' on frames 12 and 30; "
        "points correct a box or a mask of the same frame; '12#2 box …' is a second subject", only=("method", "drawn"),
    )
    follow: str = option(
        "flow", "Carried by", "What takes drawn masks, boxes and points through the shot",
        choices=(
            ("flow", "Flow and colours", "Place, colours and motion; nothing to install"),
            ("sam2", "SAM 2.1", "This network, from a folder as transformers saves it"),
        ),
        only=("method", "drawn"),
    )
    sam2: str = option(
        "", "SAM 2.1", "Folder of the network (config.json, model.safetensors)", kind="folder", only=("follow", "sam2"), installed=("sam2_video",),
    )
    weights: str = option(
        "", "Weights", "File of Robust Video Matting's weights, in place of those that are installed", kind="file",
        only=("method", "people"), installed=("rvm_mobilenetv3.pth", "rvm_resnet50.pth"),
    )
    ratio: float = option(0.0, "Inner size", "Size at which the network looks, against the frame's; 0 chooses by itself", low=0.0, high=1.0, advanced=True)
    split: bool = option(False, "Each person", "One matte for each person who stands apart, in place of one for all", only=("method", "people"))
    subjects: int = option(4, "Subjects", "At most so many subjects, largest first", low=1, high=64)
    keep: str = option("", "Keep", "Ranks of the subjects to keep, such as '1,3'; empty keeps all", advanced=True)
    drop: str = option("", "Drop", "Ranks of the subjects to leave out, such as '2,3'", advanced=True)
    join: str = option("", "Join", "Ranks of subjects that are one thing, such as '1+2,3+4'", advanced=True)
    names: str = option("", "Names", "What the subjects are called, in order of their ranks, such as 'singer,drummer'", advanced=True)
    edge: int = option(5, "Edge", "Half width of the band in which the edge is soft, at working size; 0 keeps it hard", low=0, high=128, unit="px")
    soft: str = option(
        "guided", "Soft edge", "What decides within that band",
        choices=(
            ("guided", "Colour guided", "A guided filter over the colours around; nothing to install"),
            ("closed", "Closed form", "What fits the colours of all windows at once: finer hair, more time; nothing to install"),
            ("vitmatte", "ViTMatte", "This network, from a folder as transformers saves it"),
        ),
    )
    vitmatte: str = option(
        "", "ViTMatte", "Folder of the network (config.json, model.safetensors)", kind="folder", only=("soft", "vitmatte"), installed=("vitmatte",),
    )
    least: float = option(0.002, "Smallest", "Subjects smaller than this part of the picture are dropped", low=0.0, high=1.0)
    region: str = option("", "Region", "Keep subjects whose middle lies in 'left,top,right,bottom', in parts of the picture", advanced=True)
    inside: bool = option(False, "Whole in region", "The whole subject must lie in the region, on average, not its middle alone", advanced=True)
    points: int = option(128, "Contour points", "At most so many points for each animated contour; it takes as few as describe the edge", low=8, high=512)
    preview: str = option("", "Preview colour", "Also write a video of the subjects over this colour, such as '120,255,155'", advanced=True)
    behind: str = option("", "Preview over", "Picture or film behind the subjects in that video, in place of a colour", kind="file", advanced=True)
    films: str = option(
        "none", "Films", "Also write alpha and foreground of each subject as films, and the preview in the same way",
        choices=(("none", "None", "Pictures alone"), *CODECS), advanced=True,
    )
    quality: int = option(18, "Video quality", "Rate factor of H.264 and H.265: less is better and larger", low=0, high=51, advanced=True)
