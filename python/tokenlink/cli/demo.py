# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist demo``: the closed loop with everything chosen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Optional

import typer

from tokenlink.cli.options import at_least_one, refuse, writable_file, writable_folder
from tokenlink.cli.run_options import (
    CONTROLLER,
    MODE_TABLE,
    MONITOR,
    PRIOR,
    PROFILE,
    RADIO,
    RUN_FOLDER,
    SCENE,
    SOURCES,
    SYSTEM,
)

OptionalPath, OptionalStr = Optional[Path], Optional[str]  # noqa: UP007, UP045 (typer reads it at run time on Python 3.10)
OptionalInt = Optional[int]  # noqa: UP007, UP045
LEVELS_DB = (0.0, 6.0, -4.0, 3.0, -7.0, 5.0)


def demo(
    seed: Annotated[int, typer.Option(help="Channel and noise.")] = 1,
    scene: Annotated[int, typer.Option(help="Seed of the street.")] = SCENE,
    frames_from: Annotated[OptionalStr, typer.Option(help=f"Instead of a street. {SOURCES}")] = None,
    frames: Annotated[int, typer.Option(help="Frames to send.", callback=at_least_one)] = 120,
    radio: Annotated[str, typer.Option(help=RADIO)] = "gnuradio",
    profile: Annotated[OptionalStr, typer.Option(help=PROFILE)] = None,
    mode_table: Annotated[OptionalPath, typer.Option(help=MODE_TABLE)] = None,
    controller: Annotated[OptionalPath, typer.Option(help=CONTROLLER)] = None,
    artifacts: Annotated[OptionalPath, typer.Option(help="Folder of other weights.")] = None,
    out: Annotated[OptionalPath, typer.Option(help=RUN_FOLDER, callback=writable_folder)] = None,
    json: Annotated[OptionalPath, typer.Option(help="Write the metrics here as JSON.", callback=writable_file)] = None,
    system: Annotated[str, typer.Option(help=SYSTEM)] = "twist",
    prior: Annotated[OptionalStr, typer.Option(help=f"{PRIOR} Default: 3, or off without a predictor.")] = None,
    monitor: Annotated[OptionalInt, typer.Option(help=MONITOR)] = None,
) -> None:
    """Run 120 frames of a street through the loop: Rayleigh fading, changing SNR, risk controller, report.

    What the twin expects of each frame helps to decode it; --prior off is the paper's system.

    With --radio virtual the same frames cross an air interface in bursts: each meets the fading and SNR of its slot,
    and timing, carrier and clock offsets, phase noise and a converter. With --profile that profile's air instead.

    With --system adaptive pictures are classified instead, 120 of Imagenette, which is fetched once (94 MB) where none
    are named.

    Example: ./twist demo --seed 2
    """
    from tokenlink.channel import ChannelConfig, SnrTrajectory
    from tokenlink.cli.show_run import new_run_folder, run_and_show
    from tokenlink.loop.run_config import RunConfig, best_prior, check_artifacts
    from tokenlink.systems import system_named

    if radio == "running":
        refuse("with --radio running, whose flowgraph has its own channel", "seed")
    if frames_from:
        refuse("with --frames-from", "scene")
    about = system_named(system)
    config = RunConfig(
        source=frames_from or "",
        n_frames=frames,
        seed=seed,
        channel=ChannelConfig(
            model="rayleigh",
            esn0_db=13.0,
            fading_correlation=0.9,
            trajectory=SnrTrajectory("blockwise", levels_db=LEVELS_DB, block_slots=20),
        ),
        control=about.loop.load_control(controller),
        mode_table=str(mode_table) if mode_table else None,
        artifacts=str(artifacts) if artifacts else None,
        radio=radio,
        profile=profile,
        system=system,
        prior=best_prior(system, artifacts) if prior is None else prior,
    )
    if not frames_from:
        check_artifacts(config)  # before anything is fetched for it
        config = replace(config, source=about.source.demo(scene, frames))
    run_and_show(config, out or new_run_folder("demo"), json, monitor=monitor)
