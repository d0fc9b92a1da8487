# SPDX-License-Identifier: GPL-3.0-or-later
"""What dropping saves: multiplications and milliseconds of the adaptive system's device and server, one picture each.

    python bench/adaptive_codec.py [--repeats 200] [--engine torch]

On one thread. The share alpha of the 64 image tokens is kept from the second block on, whatever the weights would say,
so that the figures are those of the sizes and hold for any weights. Multiplications are counted while the networks run,
by torch's own counter (two operations each), attention included; times are of the engine asked for. Written to
standard output as Markdown.
"""

import argparse
from importlib.metadata import version

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from tokenlink.bench.stopwatch import interleaved
from tokenlink.link.token_ratios import POSITIONS, RATIOS, symbols_per_token
from tokenlink.models.adaptive.picture_codec import AdaptiveCodec
from tokenlink.models.compiled import ONNX_RUNTIME, TORCH, best_engine

ALPHAS = (0.1, 0.5, 1.0)
WARM_UP = 5


def fixed_share(codec, alpha):
    """Let a codec keep the first tokens, a share alpha of all."""
    n_kept = max(1, round(alpha * POSITIONS))

    def select(index, hidden, mask):
        stays = (torch.arange(mask.shape[1]) < n_kept).float().expand_as(mask)
        return mask * stays, stays

    codec.model.vit.select = select
    return codec


def both_ends(alpha, ratio, seed, engine):
    """Functions without arguments that run the device's and the server's side for one picture."""
    codec = fixed_share(AdaptiveCodec.untrained(engine=engine), alpha)
    picture = np.random.default_rng(seed).integers(0, 256, (128, 128, 3), np.uint8)
    sent = codec.encode(picture, alpha, ratio)
    assert sent.symbols.shape == (1 + max(1, round(alpha * POSITIONS)), symbols_per_token(ratio))
    return (lambda: codec.encode(picture, alpha, ratio),
            lambda: codec.decode(sent.symbols, 1.0, 0.1, sent.kept, ratio))  # fmt: skip


def multiplications(run):
    """Multiply-and-add operations of one run."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() // 2


def main(repeats, ratio, engine):
    """Measure and print."""
    torch.set_num_threads(1)
    runs, counted = {}, {}
    for alpha in ALPHAS:
        runs |= zip([(alpha, "device"), (alpha, "server")], both_ends(alpha, ratio, 0, engine), strict=True)
        counted |= zip([(alpha, "device"), (alpha, "server")], both_ends(alpha, ratio, 0, TORCH), strict=True)
    for run in runs.values():
        for _ in range(WARM_UP):
            run()
    times = interleaved(runs, repeats)
    print(f"r = {ratio}, one thread, {repeats} interleaved repeats, {engine} {version(engine)}\n")
    print("| alpha | side | million multiplications | ms, least | ms, median |\n|---|---|---|---|---|")
    for alpha, side in runs:
        took = times[alpha, side]
        each = f"{1e3 * took.minimum_s:.2f} | {1e3 * took.median_s:.2f}"
        print(f"| {alpha} | {side} | {multiplications(counted[alpha, side]) / 1e6:.1f} | {each} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--ratio", type=float, default=0.15, choices=RATIOS)
    parser.add_argument("--engine", default=best_engine(), choices=(TORCH, ONNX_RUNTIME))
    given = parser.parse_args()
    main(given.repeats, given.ratio, given.engine)
