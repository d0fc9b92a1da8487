# SPDX-License-Identifier: GPL-3.0-or-later
"""A twin node that expects every token to stay, and whose priors of some slots are lost, late or of something else."""

from dataclasses import replace

import numpy as np

from tokenlink.loop import twin
from tokenlink.loop.foretelling import Foretelling
from tokenlink.loop.run_config import NodeConfig
from tokenlink.process.node import run_node
from tokenlink.wire import TokenPrior

LOST, LATE, CODEBOOK, GRID, REFUSED, TWICE = 2, 4, 6, 7, 8, 9
withheld = []


def stays(belief):
    """Each token stays with 0.9."""
    probability = np.full((belief.state.size, 1024), 0.1 / 1023, np.float32)
    probability[np.arange(belief.state.size), belief.state] = 0.9
    return probability


class Faulty(twin.PushSocket):
    """Sends priors badly, and everything else well."""

    def send(self, message, *args, **options):
        changed = changes(message) if isinstance(message, TokenPrior) else [message]
        return all([super(Faulty, self).send(each, *args, **options) for each in changed])


def changes(prior):
    """What leaves in the place of a slot's prior."""
    if prior.slot in (LOST, LATE):
        withheld[:] = [prior] if prior.slot == LATE else []
        return []
    if prior.slot == LATE + 1:
        return [*withheld, prior]
    if prior.slot == TWICE:
        return [replace(prior, slot=1), prior]
    wrong = {CODEBOOK: {"codebook": "ab" * 32}, GRID: {"n_tokens": 128},
             REFUSED: {"listed": np.zeros_like(prior.listed)}}  # fmt: skip
    return [replace(prior, **wrong.get(prior.slot, {}))]


if __name__ == "__main__":
    Foretelling.__init__, make = lambda self, predict, table: make(self, stays, table), Foretelling.__init__
    twin.PushSocket = Faulty
    run_node("twin", twin.main, NodeConfig.load)
