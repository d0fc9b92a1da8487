# SPDX-License-Identifier: GPL-3.0-or-later
"""The systems that share the radio, each described once: source, payload, models, policies, figures."""

from tokenlink.systems.description import Figure, Metric, Models, Payload, Source, System
from tokenlink.systems.twist import TWIST

__all__ = ["SYSTEMS", "Figure", "Metric", "Models", "Payload", "Source", "System", "system_named"]

SYSTEMS = {system.name: system for system in (TWIST,)}


def system_named(name):
    """The System of a name; ValueError for one that is not there."""
    if name not in SYSTEMS:
        raise ValueError(f"system is {name!r}, expected one of {', '.join(SYSTEMS)}")
    return SYSTEMS[name]
