# SPDX-License-Identifier: GPL-3.0-or-later
"""A camera node whose tokens of slot 2 are of no codebook: every radio drops them, as it is meant to."""

from itertools import count

from tokenlink.loop.camera import main
from tokenlink.loop.run_config import NodeConfig
from tokenlink.models.twist import tokenizer
from tokenlink.process.node import run_node

BAD_SLOT, FAR = 2, 1 << 16
slots = count()
encode_image = tokenizer.encode_image


def encode_badly(model, image, previous_ids=None):
    """As the real one but for slot 2."""
    token_ids = encode_image(model, image, None if previous_ids is None else previous_ids % FAR)
    return token_ids + FAR * (next(slots) == BAD_SLOT)


if __name__ == "__main__":
    tokenizer.encode_image = encode_badly
    run_node("camera", main, NodeConfig.load)
