"""Runs a command of a Debian suite, such as its Blender, with this machine's folders: laid out by debootstrap at first use. Standard library only.

`python3 tests/gui/debian.py SUITE blender …`: trixie has Blender 4.3, sid 5.2. Needs root, debootstrap and 2 GB in UNFLATTEN_DEBIAN (~/.cache/unflatten).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

MIRROR = "http://deb.debian.org/debian"
PACKAGES = ("blender", "ca-certificates", "fonts-dejavu-core", "libgl1", "libgl1-mesa-dri")
PACKAGES += tuple(f"python3-{name}" for name in ("numpy", "requests", "zstandard", "cattr"))  # of Blender's own add-ons
SHARED = ("proc", "sys", "dev", "tmp", "home", "root", "work")  # of this machine, where they are
# Mounts in a namespace of its own end with the command: whoever removes the folder removes nothing else.
ENTER = f'target=$1; here=$2; shift 2; for it in {" ".join(SHARED)}; do [ -d /$it ] && mkdir -p "$target/$it" && mount --rbind /$it "$target/$it"; done; '
ENTER += 'exec chroot "$target" /usr/bin/env -C "$here" "$@"'


def place_of(suite: str) -> Path:
    """Where the suite lies or will lie."""
    return Path(os.environ.get("UNFLATTEN_DEBIAN") or Path.home() / ".cache" / "unflatten") / suite


def entering(suite: str, command: list[str]) -> list[str]:
    """The command line that runs `command` within the suite, in this folder."""
    return ["unshare", "--mount", "sh", "-c", ENTER, "sh", str(place_of(suite)), os.getcwd(), *command]


def lay_out(suite: str) -> None:
    """Fetch the suite and its Blender; some minutes."""
    target = place_of(suite)
    done = target / "laid-out"
    if done.exists():
        return
    if not shutil.which("debootstrap") or os.geteuid() != 0:
        sys.exit("Debian cannot be laid out: that needs root and debootstrap. Install it, or name a Blender of your own by --blender.")
    shutil.rmtree(target, ignore_errors=True)  # of one that was broken off, which debootstrap does not take up
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["debootstrap", "--variant=minbase", suite, str(target), MIRROR], check=True, stdout=sys.stderr)
    # sid's list of packages may be older than it says.
    (target / "etc/apt/apt.conf.d/99unflatten").write_text('Acquire::Check-Valid-Until "false";\nAPT::Install-Recommends "false";\n')
    shutil.copyfile("/etc/resolv.conf", target / "etc/resolv.conf")
    surroundings = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", *PACKAGES]):
        subprocess.run(entering(suite, command), check=True, stdout=sys.stderr, env=surroundings)
    done.touch()


if __name__ == "__main__":
    lay_out(sys.argv[1])
    os.execvp("unshare", entering(sys.argv[1], sys.argv[2:]))
