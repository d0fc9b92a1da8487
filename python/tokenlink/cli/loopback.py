# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist loopback``: the closed loop with everything to choose."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from tokenlink.cli.options import refuse, refuse_of_policy, writable_file, writable_folder
from tokenlink.cli.run_options import (
    CHANNELS,
    CONTROLLER,
    FRAMES,
    MODE_TABLE,
    MONITOR,
    POLICIES,
    PRIOR,
    PROFILE,
    RADIO,
    RUN_FOLDER,
    SOURCES,
    SYSTEM,
    given_values,
    parse_levels,
    parse_modes,
    parse_slots,
    refuse_of_system,
    with_settings,
)

OptionalPath = Optional[Path]  # noqa: UP007, UP045 (typer reads it at run time on Python 3.10)
OptionalInt, OptionalFloat, OptionalStr = Optional[int], Optional[float], Optional[str]  # noqa: UP007, UP045


def loopback(
    frames_from: Annotated[OptionalStr, typer.Option(help=SOURCES)] = None,
    text: Annotated[OptionalPath, typer.Option(help="TokCode: a file of texts, one a line.")] = None,
    channel: Annotated[str, typer.Option(help=CHANNELS)] = "awgn",
    snr_db: Annotated[float, typer.Option(help="Nominal Es/N0, dB; average over the fading.")] = 12.0,
    rician_k_db: Annotated[float, typer.Option(help="Rician: line of sight over diffuse power, dB.")] = 6.0,
    fading_correlation: Annotated[float, typer.Option(help="Of neighbouring slots, from 0 to below 1.")] = 0.0,
    coherence_blocks: Annotated[int, typer.Option(help="Parts of a frame that fade on their own.")] = 1,
    trajectory: Annotated[str, typer.Option(help="constant, blockwise or gauss-markov.")] = "constant",
    levels_db: Annotated[str, typer.Option(help="Blockwise: offsets from --snr-db, dB.")] = "0,-6,3,-3,6",
    block_slots: Annotated[int, typer.Option(help="Blockwise: slots per level.")] = 20,
    walk_std_db: Annotated[float, typer.Option(help="Gauss-Markov: standard deviation, dB.")] = 3.0,
    policy: Annotated[str, typer.Option(help=POLICIES)] = "",
    feedback_loss: Annotated[float, typer.Option(help="Probability that a slot's feedback is lost.")] = 0.0,
    feedback_delay: Annotated[int, typer.Option(help="Slots until feedback decides a mode; 1: the next slot's.")] = 1,
    lost_slots: Annotated[str, typer.Option(help="Slots whose feedback is lost, such as 10-19,30.")] = "",
    hold_slots: Annotated[OptionalInt, typer.Option(help="Slots without feedback that keep their mode.")] = None,
    fallback_mode: Annotated[OptionalInt, typer.Option(help="mode_id once feedback stays lost.")] = None,
    level_modes: Annotated[str, typer.Option(help="mode_id of the low, med and high budget, such as 0,1,2.")] = "",
    ratio_limit: Annotated[OptionalFloat, typer.Option(help="Adaptive: most that the mean rho may be.")] = None,
    lyapunov_v: Annotated[OptionalFloat, typer.Option(help="Adaptive: V, what accuracy weighs.")] = None,
    lyapunov_mu: Annotated[OptionalFloat, typer.Option(help="Adaptive: mu, how fast the queue moves.")] = None,
    alpha: Annotated[OptionalFloat, typer.Option(help="Adaptive, policy fixed: token budget.")] = None,
    ratio: Annotated[OptionalFloat, typer.Option(help="Adaptive, policy fixed: compression ratio r.")] = None,
    mode: Annotated[OptionalInt, typer.Option(help="TokCode, policy fixed: mode_id of all packets.")] = None,
    urgent_slots: Annotated[str, typer.Option(help="Slots of priority 1, such as 40-59.")] = "",
    completion: Annotated[str, typer.Option(help="model, or copy: holes take the previous state.")] = "model",
    frames: Annotated[OptionalInt, typer.Option(help=FRAMES)] = None,
    seed: Annotated[int, typer.Option(help="Channel, noise and feedback losses.")] = 1,
    radio: Annotated[str, typer.Option(help=RADIO)] = "gnuradio",
    profile: Annotated[OptionalStr, typer.Option(help=PROFILE)] = None,
    flowgraph: Annotated[OptionalPath, typer.Option(help="A .grc file instead of the one that ships.")] = None,
    slot_timeout: Annotated[OptionalFloat, typer.Option(help="Give a slot up after that many seconds.")] = None,
    mode_table: Annotated[OptionalPath, typer.Option(help=MODE_TABLE)] = None,
    controller: Annotated[OptionalPath, typer.Option(help=CONTROLLER)] = None,
    artifacts: Annotated[OptionalPath, typer.Option(help="Folder of other weights.")] = None,
    out: Annotated[OptionalPath, typer.Option(help=RUN_FOLDER, callback=writable_folder)] = None,
    json: Annotated[OptionalPath, typer.Option(help="Write the metrics here as JSON.", callback=writable_file)] = None,
    report: Annotated[bool, typer.Option(help="Write report.html.")] = True,
    system: Annotated[str, typer.Option(help=SYSTEM)] = "twist",
    prior: Annotated[str, typer.Option(help=PRIOR)] = "off",
    monitor: Annotated[OptionalInt, typer.Option(help=MONITOR)] = None,
) -> None:
    """Run the loop on frames, channel and policy of your choice.

    Example: ./twist loopback --frames-from invented:3 --channel rayleigh --snr-db 15 --policy static-med
    """
    from tokenlink.channel import ChannelConfig, SnrTrajectory
    from tokenlink.cli.show_run import new_run_folder, run_and_show
    from tokenlink.loop.run_config import FeedbackConfig, RunConfig

    if frames_from:
        refuse("with --frames-from", "text")
    elif text is None:
        raise ValueError("--frames-from is missing, expected where the frames come from, or --text FILE")
    refuse_idle_options(radio, profile, channel, trajectory)
    refuse_of_policy(policy)
    refuse_of_system(system, policy)
    if radio == "running" and not feedback_loss:
        refuse("with --radio running and no --feedback-loss", "seed")
    walk = SnrTrajectory(trajectory, parse_levels(levels_db), block_slots, std_db=walk_std_db)
    control = given_values(
        hold_slots=hold_slots, fallback_mode=fallback_mode, ratio_limit=ratio_limit, v=lyapunov_v,
        step_size=lyapunov_mu, alpha=alpha, ratio=ratio, mode=mode,
    ) | parse_modes(level_modes)  # fmt: skip
    config = RunConfig(
        source=frames_from or f"text:{text}",
        **given_values(n_frames=frames),
        seed=seed,
        channel=ChannelConfig(channel, snr_db, rician_k_db, fading_correlation, walk, coherence_blocks),
        policy=policy,
        control=with_settings(system, controller, control),
        feedback=FeedbackConfig(feedback_loss, parse_slots(lost_slots, "--lost-slots"), feedback_delay),
        urgent_slots=parse_slots(urgent_slots, "--urgent-slots"),
        completion=completion,
        mode_table=str(mode_table) if mode_table else None,
        artifacts=str(artifacts) if artifacts else None,
        radio=radio,
        flowgraph=str(flowgraph) if flowgraph else None,
        profile=profile,
        system=system,
        prior=prior,
        **given_values(slot_timeout_s=slot_timeout),
    )
    run_and_show(config, out or new_run_folder("loopback"), json, report, frames or 1, monitor)


def refuse_idle_options(radio, profile, channel, trajectory):
    """Refuse options that the radio, the channel or its trajectory that were chosen know nothing of."""
    walks = {"blockwise": ("levels_db", "block_slots"), "gauss-markov": ("walk_std_db",)}
    own = ("channel", "snr_db", "rician_k_db", "fading_correlation", "coherence_blocks", "trajectory",
           *sum(walks.values(), ()))  # fmt: skip
    if radio == "running":
        refuse("with --radio running, whose flowgraph has its own channel", *own)
    if profile is not None:
        refuse(f"with --profile {profile}, whose air is the channel", *own)
    if channel != "rician":
        refuse(f"with --channel {channel}", "rician_k_db")
    if channel == "awgn":
        refuse("with --channel awgn, which does not fade", "fading_correlation", "coherence_blocks")
    for kind, names in walks.items():
        if trajectory != kind:
            refuse(f"with --trajectory {trajectory}", *names)
