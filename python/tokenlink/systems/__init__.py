# SPDX-License-Identifier: GPL-3.0-or-later
"""The systems that share the radio, each described once: source, payload, models, policies, figures."""

from tokenlink.systems.adaptive import ADAPTIVE
from tokenlink.systems.description import Figure, Loop, Metric, Models, Payload, Source, Study, System
from tokenlink.systems.tokcode import TOKCODE
from tokenlink.systems.twist import TWIST

__all__ = [
    "SYSTEMS", "Figure", "Loop", "Metric", "Models", "Payload", "Source", "Study", "System", "system_named",
    "system_with_studies",
]  # fmt: skip

SYSTEMS = {system.name: system for system in (TWIST, ADAPTIVE, TOKCODE)}


def system_with_studies(name):
    """The System of a name that evaluations know; ValueError for another one."""
    system = system_named(name)
    if system.study is None:
        able = ", ".join(each.name for each in SYSTEMS.values() if each.study)
        raise ValueError(f"system is {name!r}, which has no evaluation, expected one of {able}")
    return system


def system_named(name):
    """The System of a name; ValueError for one that is not there."""
    if name not in SYSTEMS:
        raise ValueError(f"system is {name!r}, expected one of {', '.join(SYSTEMS)}")
    return SYSTEMS[name]
