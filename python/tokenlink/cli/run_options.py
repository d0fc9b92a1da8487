# SPDX-License-Identifier: GPL-3.0-or-later
"""What commands that run the loop share: texts of their options, and how slots, levels and modes are read."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import chain

from tokenlink.cli.options import refuse

RADIO = (
    "gnuradio; simulator: the same link without GNU Radio; virtual: bursts over the virtual radio; "
    "running: a flowgraph you have started, from GRC or not."
)
PROFILE = "Radio profile whose air is the channel of --radio virtual; default: the run's own channel, burst by burst."
SYSTEM = "How the meaning of a scene is sent: twist, adaptive, or tokcode."
SOURCES = (
    "Folder of pictures, kitti-tracking:FOLDER/0004, kitti-raw:FOLDER, rendered:FOLDER/0004, invented:SEED; of "
    "adaptive imagenette:FOLDER_OR_TAR, pictures:FOLDER; of tokcode text:FILE."
)
CHANNELS = "awgn, rayleigh or rician."
POLICIES = (
    "twist, channel-adaptive, static-low, -med, -high; twist-no-gamma, -u, -d, -pi; twist-channel-led; twin-aware; "
    "lyapunov, fixed; by-snr."
)
FRAMES = "Frames to send; the source must have them. Default: 120, or all there are."
PRIOR = "What the twin expects of a frame helps to decode it: off; once; 0 to 4 exchanges with the decoder."
MODE_TABLE = "YAML, or the name of one that ships: twist_default; prior, made for --prior; by_hand."
CONTROLLER = "YAML, or the name of one that ships: twist_controller; prior, made for --prior; by_hand."
RUN_FOLDER = "Run folder; default: a new one under runs/."
SCENE = 12  # of the demo
MONITOR = "Port of this machine where figures are while it runs: JSON at /, Prometheus at /metrics. 0: any."
MAX_SLOTS = 1_000_000
_SLOT = re.compile("[0-9]{1,15}")


def given_values(**values):
    """Those that are not None: the defaults of all others are where the values are used."""
    return {name: value for name, value in values.items() if value is not None}


def refuse_of_system(system, policy):
    """Refuse options that the system knows nothing of, and those of its other policy."""
    from tokenlink.systems import system_named

    refuse(f"with --system {system}", *system_named(system).loop.idle_options)
    if policy == "fixed":
        refuse("with --policy fixed, which has one mode", "lyapunov_v", "hold_slots")
    else:
        refuse("without --policy fixed", "alpha", "ratio", "mode")


def with_settings(system, controller, given):
    """Settings of a system's policies from a controller file or those that ship, some given; ValueError for others."""
    from tokenlink.systems import system_named

    control = system_named(system).loop.load_control(controller)
    unknown = sorted(set(given) - set(vars(control)))
    if unknown:
        raise ValueError(f"system {system} has no {', '.join(unknown)}: its settings are {', '.join(vars(control))}")
    return replace(control, **given)


def parse_levels(text):
    """Levels of ``--levels-db``, such as "0,-6,3": tuple of float; ValueError for anything else."""
    try:
        return tuple(float(level) for level in text.split(","))
    except ValueError:
        raise ValueError(f"--levels-db is {text!r}, expected numbers of dB such as 0,-6,3.5") from None


def parse_modes(text):
    """Mode numbers of ``--level-modes``: dict of fields of ControlConfig, empty for no text.

    Raises
    ------
    ValueError   no three whole numbers
    """
    parts = text.split(",") if text else []
    if parts and not (len(parts) == 3 and all(_SLOT.fullmatch(part.strip()) for part in parts)):
        raise ValueError(f"--level-modes is {text!r}, expected three mode numbers such as 0,1,2")
    modes = dict(zip(("low_mode", "med_mode", "high_mode"), map(int, parts), strict=False))
    return modes | ({"first_mode": modes["med_mode"]} if modes else {})


def parse_slots(text, option):
    """Slots of a list such as "10-19,30": tuple of int.

    Parameters
    ----------
    text : str
    option : str   where it comes from, for the error

    Raises
    ------
    ValueError   anything else, a range that goes down, or more than MAX_SLOTS
    """
    ranges = []
    for part in filter(None, text.split(",")):
        first, dash, last = (word.strip() for word in part.partition("-"))
        ends = (first, last) if dash else (first, first)
        if not all(_SLOT.fullmatch(end) for end in ends) or int(ends[1]) < int(ends[0]):
            raise ValueError(f"{option} is {_shown(text)}, expected slots and rising ranges such as 10-19,30")
        ranges.append(range(int(ends[0]), int(ends[1]) + 1))
    if (n_slots := sum(map(len, ranges))) > MAX_SLOTS:
        raise ValueError(f"{option} is {_shown(text)}, which are {n_slots} slots, expected at most {MAX_SLOTS}")
    return tuple(chain.from_iterable(ranges))


def _shown(text):
    return repr(text if len(text) <= 80 else f"{text[:80]}...")
