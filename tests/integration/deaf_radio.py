# SPDX-License-Identifier: GPL-3.0-or-later
"""A radio without GNU Radio that falls silent after its first frame, though its process lives on."""

from tokenlink.loop.run_config import NodeConfig
from tokenlink.loop.simulated_radio import SimulatedLink, main
from tokenlink.process.node import run_node

transfer = SimulatedLink.transfer


def transfer_first(link, frame, mode_id):
    """As the real one for slot 0; nothing afterwards."""
    return transfer(link, frame, mode_id) if frame.slot == 0 else ()


if __name__ == "__main__":
    SimulatedLink.transfer = transfer_first
    run_node("radio", main, NodeConfig.load)
