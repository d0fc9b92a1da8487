# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes of each density: the first of each in order of seeds, and never drawn twice."""

import numpy as np
import pytest

from tokenlink.cli import render
from tokenlink.data.balanced_scenes import draw_balanced, scene_density
from tokenlink.data.render.sequence import RenderConfig


def test_density_of_a_scene_is_that_of_most_frames():
    assert scene_density(np.array([[1, 0, 2], [1, 0, 2], [0, 0, 0]])) == 2
    assert scene_density(np.array([[1, 0, 1], [1, 0, 2]])) == 1


def test_the_first_scenes_of_each_density_are_kept(tmp_path):
    """Against all scenes drawn by themselves and counted one by one."""
    drawn = []
    config = RenderConfig(seed=7, stride=20)
    kept = draw_balanced(tmp_path / "balanced", 2, 40, config, drawn.append)
    render.main(
        ["--out", f"{tmp_path}/all", "--invented", str(len(drawn)), "--frames", "40", "--stride", "20", "--seed", "7"]
    )
    expected = {density: [] for density in range(3)}
    for path in sorted((tmp_path / "all").glob("*.npz")):
        density = np.load(path)["labels"][:, 2].tolist()
        most = max(range(3), key=lambda each, density=density: (density.count(each), -each))
        expected[most].append(path.name)
    assert {density: [path.name for path in paths] for density, paths in kept.items()} == {
        density: names[:2] for density, names in expected.items()
    }
    there = {path.stem for path in (tmp_path / "balanced").glob("*.npy")}
    assert there == {path.stem for paths in kept.values() for path in paths} and len(there) == 6
    assert draw_balanced(tmp_path / "balanced", 2, 40, config, drawn.append) == kept
    assert len(drawn) == len(set(drawn))


def test_none_of_each_is_refused(tmp_path):
    with pytest.raises(ValueError, match="n_per_density must be >= 1, got 0"):
        draw_balanced(tmp_path, 0, 40, RenderConfig())


def test_nothing_to_render_is_said(tmp_path, capsys):
    with pytest.raises(SystemExit):
        render.main(["--out", str(tmp_path)])
    assert "--per-density" in capsys.readouterr().err
