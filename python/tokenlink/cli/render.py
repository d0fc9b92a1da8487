# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist render``: street scenes drawn into a folder for training."""

import argparse
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tokenlink.data.balanced_scenes import draw_balanced
from tokenlink.data.render_cache import write_sequence
from tokenlink.data.sources import invented_scene, rendered_tracks, track_files
from tokenlink.files.outputs import check_folder

_EXAMPLE = """example:
  ./twist render --out .cache/frames/train --invented 4 --frames 200 --seed 9
  ./twist render --out .cache/frames/second --per-density 40 --frames 120 --stride 10 --seed 900
  ./twist render --out .cache/frames/train --tracks kitti_tracking --sequences 0000 0001 --seed 1"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `./twist render`."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.sequences and options.invented < 1 and options.per_density < 1:
        parser.error("nothing to render: give --sequences with names, or --invented or --per-density, a number >= 1")
    invented = options.invented or options.per_density
    for name, needed, of in (("tracks", options.sequences, "--sequences"),
                             ("frames", invented, "--invented or --per-density")):  # fmt: skip
        if getattr(options, name) is not None and not needed:
            parser.error(f"--{name} has no effect without {of}: leave it out")
    options.tracks, options.frames = options.tracks or Path("."), 200 if options.frames is None else options.frames
    for name, least in (("frames", 1), ("stride", 1), ("per_density", 0)):
        if getattr(options, name) < least:
            parser.error(f"--{name.replace('_', '-')} is {getattr(options, name)}, expected >= {least}")
    check_folder(options.out, "--out")
    for sequence in options.sequences:  # all of them before the first one is drawn
        track_files(options.tracks, sequence)
    from tokenlink.data.render.sequence import RenderConfig  # needs Panda3D

    config = RenderConfig(seed=options.seed, mirror=options.mirror, stride=options.stride)
    if options.per_density:
        draw_balanced(options.out, options.per_density, options.frames, config, on_scene=print)
    bar = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*bar) as progress:
        for name, make, values in _jobs(options, config):
            if (options.out / f"{name}.npz").is_file():
                continue
            source = make(*values)
            task = progress.add_task(name, total=len(source))
            write_sequence(source, options.out, name, lambda task=task: progress.advance(task))


def _jobs(options, config):
    """Name of each sequence, what makes its source, and the arguments of that."""
    jobs = []
    suffix = f"s{options.seed}{'m' if options.mirror else ''}"
    for sequence in options.sequences:
        seed = zlib.crc32(f"{sequence}/{options.seed}".encode()) % 2**31
        values = (options.tracks, sequence, replace(config, seed=seed))
        jobs.append((f"tracks_{sequence}_{suffix}", rendered_tracks, values))
    for i in range(options.invented):
        seed = 1000 * options.seed + i
        name = f"invented_{seed:06d}{'m' if options.mirror else ''}"
        jobs.append((name, invented_scene, (seed, options.frames, config)))
    return jobs


def _parser():
    parser = argparse.ArgumentParser(
        prog="./twist render",
        description="Draw street scenes into a folder for training. Sequences that are there already are left alone.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the cache")
    parser.add_argument("--tracks", type=Path, help="default: here; KITTI tracking folder, with label_02 and calib")
    parser.add_argument("--sequences", nargs="*", default=[], help="such as 0000 0001")
    parser.add_argument("--seed", type=int, default=0, help="surroundings, colours and light")
    parser.add_argument("--mirror", action="store_true", help="left and right exchanged")
    parser.add_argument("--invented", type=int, default=0, help="number of invented scenes")
    parser.add_argument("--per-density", type=int, default=0, help="number of invented scenes of each traffic density")
    parser.add_argument("--frames", type=int, help="frames per invented scene; default: 200")
    parser.add_argument("--stride", type=int, default=1, help="every n-th frame")
    return parser
