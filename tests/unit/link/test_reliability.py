# SPDX-License-Identifier: GPL-3.0-or-later
"""What the receiver says of its tokens is what happens: confidence against the share of right tokens."""

import numpy as np

from tokenlink.channel.noise import awgn
from tokenlink.link.modes import load_mode_table
from tokenlink.link.twist import decode_frame, encode_frame

FRAMES = 450


def test_confidence_is_the_share_of_right_tokens():
    """450 frames, modes in turn, Es/N0 drawn from 2 to 13 dB, seed 12. Tokens of one codeword fail together, so the
    bound counts codewords, not tokens: 3 sigma of a share among them, and 0.03 for the calibration itself. That makes
    0.08 to 0.21 where LLRs twice as large would be off by 0.11 to 0.27."""
    table, rng = load_mode_table(), np.random.default_rng(12)
    confidence, right = [], []
    for i in range(FRAMES):
        mode = table.mode(i % len(table.modes))
        token_ids = rng.integers(0, table.vocab_size, table.n_tokens).astype(np.int32)
        n0 = 10 ** (-rng.uniform(2, 13) / 10)
        decision = decode_frame(awgn(encode_frame(token_ids, mode, table), n0, rng), 1.0, n0, mode, table)
        confidence.append(decision.confidence)
        right.append(decision.token_ids == token_ids)
    confidence, right = np.concatenate(confidence), np.concatenate(right)
    for low, high in [(0.05, 0.35), (0.35, 0.65), (0.65, 0.95), (0.95, 1.01)]:
        inside = (confidence >= low) & (confidence < high)
        n_codewords = max(inside.sum() / 64, 1)
        said, happened = confidence[inside].mean(), right[inside].mean()
        assert abs(said - happened) < 0.03 + 3 * np.sqrt(said * (1 - said) / n_codewords), (low, said, happened)
