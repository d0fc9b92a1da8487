# SPDX-License-Identifier: GPL-3.0-or-later
"""As many invented scenes of each traffic density: a test that no class of it rules."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tokenlink.data.labels import DENSITY_NAMES
from tokenlink.data.render_cache import write_sequence
from tokenlink.data.sources import invented_scene

_MOST_SCENES = 1000  # per seed of the command line, as scenes are numbered 1000 * seed and on


class ScenesError(Exception):
    """Too few of the scenes that were drawn have a density."""


def scene_density(labels: np.ndarray) -> int:
    """Density class of a scene: that of most of its frames, the lower one of equals; labels int64 [n, 3]."""
    return int(np.bincount(labels[:, 2], minlength=len(DENSITY_NAMES)).argmax())


def draw_balanced(
    folder: Path, n_per_density: int, n_frames: int, config, on_scene: Callable[[str], None] = lambda name: None
) -> dict[int, list[Path]]:
    """Draw invented scenes in order of their seeds and keep the first so many of each density.

    Parameters
    ----------
    folder : Path          for <name>.npy and <name>.npz; of scenes that are not kept only the labels (.npz) stay
    n_per_density : int    >= 1
    n_frames : int         frames of each scene's script
    config : RenderConfig  scenes have the seeds 1000 * config.seed and on
    on_scene : callable    told the name of each scene before it is drawn

    Returns
    -------
    dict   density class to the .npz files of its scenes, in order of seeds; the same for the same arguments

    Raises
    ------
    ValueError     n_per_density is below 1
    ScenesError    1000 scenes do not hold so many of a class
    """
    if n_per_density < 1:
        raise ValueError(f"n_per_density must be >= 1, got {n_per_density}")
    kept = {density: [] for density in range(len(DENSITY_NAMES))}
    for number in range(_MOST_SCENES):
        if all(len(paths) == n_per_density for paths in kept.values()):
            return kept
        seed = 1000 * config.seed + number
        name = f"invented_{seed:06d}{'m' if config.mirror else ''}"
        path = Path(folder) / f"{name}.npz"
        if not path.is_file():
            on_scene(name)
            write_sequence(invented_scene(seed, n_frames, config), folder, name)
        with np.load(path) as known:
            paths = kept[scene_density(known["labels"])]
        if len(paths) < n_per_density:
            paths.append(path)
        else:
            path.with_suffix(".npy").unlink(missing_ok=True)  # its labels stay, so that it is not drawn again
    few = ", ".join(f"{len(paths)} {DENSITY_NAMES[d]}" for d, paths in kept.items() if len(paths) < n_per_density)
    raise ScenesError(f"of {_MOST_SCENES} scenes only {few}; {n_per_density} are asked for")

