# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist loopback``: the closed loop with everything to choose."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

OptionalPath = Optional[Path]  # noqa: UP007, UP045 (typer reads it at run time on Python 3.10)
SOURCES = "Folder of pictures, kitti-tracking:FOLDER/0004, kitti-raw:FOLDER, rendered:FOLDER/0004, invented:SEED."


def loopback(
    frames_from: Annotated[str, typer.Option(help=SOURCES)],
    channel: Annotated[str, typer.Option(help="awgn, rayleigh or rician.")] = "awgn",
    snr_db: Annotated[float, typer.Option(help="Nominal Es/N0, dB; average over the fading.")] = 12.0,
    rician_k_db: Annotated[float, typer.Option(help="Rician: line of sight over diffuse power, dB.")] = 6.0,
    fading_correlation: Annotated[float, typer.Option(help="Of neighbouring slots, from 0 to below 1.")] = 0.0,
    trajectory: Annotated[str, typer.Option(help="constant, blockwise or gauss-markov.")] = "constant",
    levels_db: Annotated[str, typer.Option(help="Blockwise: offsets from --snr-db, dB.")] = "0,-6,3,-3,6",
    block_slots: Annotated[int, typer.Option(help="Blockwise: slots per level.")] = 20,
    walk_std_db: Annotated[float, typer.Option(help="Gauss-Markov: standard deviation, dB.")] = 3.0,
    policy: Annotated[
        str, typer.Option(help="twist, channel-adaptive, static-low, static-med or static-high.")
    ] = "twist",
    feedback_loss: Annotated[float, typer.Option(help="Probability that a report is lost.")] = 0.0,
    lost_slots: Annotated[str, typer.Option(help="Slots whose report is lost, such as 10-19,30.")] = "",
    hold_slots: Annotated[int, typer.Option(help="Slots without feedback that keep their mode.")] = 5,
    fallback_mode: Annotated[int, typer.Option(help="mode_id once feedback stays lost.")] = 2,
    urgent_slots: Annotated[str, typer.Option(help="Slots of priority 1, such as 40-59.")] = "",
    completion: Annotated[str, typer.Option(help="model, or copy: holes take the previous state.")] = "model",
    frames: Annotated[int, typer.Option(help="Frames at most.")] = 120,
    seed: Annotated[int, typer.Option(help="Channel, noise and feedback losses.")] = 1,
    radio: Annotated[str, typer.Option(help="gnuradio, or simulator: the same link without GNU Radio.")] = "gnuradio",
    mode_table: Annotated[OptionalPath, typer.Option(help="YAML; default: the table that ships.")] = None,
    artifacts: Annotated[OptionalPath, typer.Option(help="Folder of other weights.")] = None,
    out: Annotated[OptionalPath, typer.Option(help="Run folder; default: a new one under runs/.")] = None,
    json: Annotated[OptionalPath, typer.Option(help="Write the metrics here as JSON.")] = None,
    report: Annotated[bool, typer.Option(help="Write report.html.")] = True,
) -> None:
    """Run the loop on frames, channel and policy of your choice.

    Example: ./twist loopback --frames-from kitti-raw:drive_0001 --channel rayleigh --snr-db 15 --policy static-med
    """
    from tokenlink.channel import ChannelConfig, SnrTrajectory
    from tokenlink.cli.run import new_run_folder, run_and_show
    from tokenlink.control import ControlConfig
    from tokenlink.nodes.config import FeedbackConfig, RunConfig

    levels = tuple(float(level) for level in levels_db.split(","))
    walk = SnrTrajectory(trajectory, levels, block_slots, std_db=walk_std_db)
    config = RunConfig(
        source=frames_from,
        n_frames=frames,
        seed=seed,
        channel=ChannelConfig(channel, snr_db, rician_k_db, fading_correlation, walk),
        policy=policy,
        control=ControlConfig(hold_slots=hold_slots, fallback_mode=fallback_mode),
        feedback=FeedbackConfig(feedback_loss, parse_slots(lost_slots)),
        urgent_slots=parse_slots(urgent_slots),
        completion=completion,
        mode_table=str(mode_table) if mode_table else None,
        artifacts=str(artifacts) if artifacts else None,
        radio=radio,
    )
    run_and_show(config, out or new_run_folder("loopback"), json, report)


def parse_slots(text):
    """Slots of a list such as "10-19,30": tuple of int.

    Raises
    ------
    ValueError   anything else
    """
    slots = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        if not first.strip().isdigit() or (last and not last.strip().isdigit()):
            raise ValueError(f"slots are {text!r}, expected a list such as 10-19,30")
        slots += range(int(first), int(last or first) + 1)
    return tuple(slots)
