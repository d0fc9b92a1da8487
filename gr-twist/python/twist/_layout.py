# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of the groups at each stage of the chain, from the mode table."""

from functools import lru_cache

from tokenlink.link.adaptive_modes import load_adaptive_table
from tokenlink.link.modes import load_mode_table
from tokenlink.link.tokcode_modes import load_tokcode_table
from tokenlink.phy.qam import BITS_PER_SYMBOL


@lru_cache(maxsize=8)
def load(path):
    """Mode table of a YAML file, the default one for an empty path. Raises ModeTableError."""
    return load_mode_table(path or None)


@lru_cache(maxsize=8)
def load_adaptive(path):
    """Mode table of the adaptive system, as `load`. Raises AdaptiveTableError."""
    return load_adaptive_table(path or None)


@lru_cache(maxsize=8)
def load_tokcode(path):
    """Mode table of TokCode, as `load`. Raises TokcodeTableError."""
    return load_tokcode_table(path or None)


def mode_named(table, name, parameter, default=-1):
    """Mode of a name or number, the default one in the table for an empty name; ValueError names the parameter."""
    for mode in table.modes:
        if name in (mode.name, str(mode.mode_id)):
            return mode
    if name:
        names = ", ".join(mode.name for mode in table.modes)
        raise ValueError(f"{parameter} is {name!r}, must be {names}, 0..{len(table.modes) - 1}, or empty")
    return table.modes[default]


def info_sizes(table):
    """Information bits of each group, tuple of int."""
    return table.group_info_bits


def symbol_sizes(table, mode):
    """Symbols of each group in a mode, tuple of int."""
    return table.group_uses(mode)


def coded_sizes(table, mode):
    """Coded bits of each group in a mode, list of int."""
    return [n * BITS_PER_SYMBOL[table.modulation] for n in symbol_sizes(table, mode)]
