# SPDX-License-Identifier: GPL-3.0-or-later
"""The adaptive system: what dropping saves at either end, the loop with its models, and link and controller alone.

Weights are untrained: times are those of the sizes. The share alpha of the 64 image tokens is kept from the second
block on, whatever the weights would say.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from tokenlink.bench.loop import add_run
from tokenlink.bench.stopwatch import Result, interleaved
from tokenlink.channel import ChannelConfig
from tokenlink.control import FeedbackConfig, LyapunovConfig, LyapunovPolicy, ProxyTable
from tokenlink.control.lyapunov_simulation import simulate, simulate_loop
from tokenlink.link.adaptive_modes import load_adaptive_table
from tokenlink.link.token_ratios import PICTURE_SIDE, POSITIONS, SOURCE_VALUES, symbols_per_token
from tokenlink.loop.run_config import RunConfig

ALPHAS, RATIO = (0.1, 0.5, 1.0), 0.15
SLOTS, LOSS = 2000, 0.2
PICTURES = 40
ESN0_DB = tuple(range(-20, 31, 5))


def bench(repetitions=15, quick=False):
    """Networks on one thread, slots of the simulated loop, pictures of the whole one; Result."""
    result = Result("adaptive", notes=[
        f"Untrained weights, r = {RATIO}, one thread; alpha is the share of tokens kept from block 2 on; the error is "
        "the largest difference to torch of the symbols (of energy 1) and of the class logits; M mult.: million "
        "multiplications, counted by torch. Link and controller: "
        f"{SLOTS} slots at N(10, 2.5) dB, 50 modes. Whole loop: camera node, flowgraph, twin node and runner on all "
        "cores, pictures of noise, nothing dropped, Rayleigh fading at 12 dB, in lock step."])
    _networks(result, repetitions)
    _link_and_controller(result, repetitions)
    _whole_loop(result, 60 if quick else 300)
    return result


def fixed_share(codec, alpha):
    """Let an AdaptiveCodec keep the first tokens, a share alpha of all, whatever its weights say; returns it."""
    import torch

    n_kept = max(1, round(alpha * POSITIONS))

    def select(index, hidden, mask):
        stays = (torch.arange(mask.shape[1]) < n_kept).float().expand_as(mask)
        return mask * stays, stays

    codec.model.vit.select = select
    return codec


def multiplications(run):
    """Multiply-and-add operations of a function without arguments that runs networks of torch, by torch's counter.

    The counter knows nothing of attention as processors do it; the formula is torch's own.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

    def attention(query, key, value, *args, **kwargs):
        return sdpa_flop_count(query, key, value)

    formulas = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention}
    with FlopCounterMode(display=False, custom_mapping=formulas) as counter:
        run()
    return counter.get_total_flops() // 2


def _networks(result, repetitions):
    import torch

    from tokenlink.models.adaptive.picture_codec import AdaptiveCodec
    from tokenlink.models.compiled import TORCH, best_engine

    torch.set_num_threads(1)
    picture = np.random.default_rng(1).integers(0, 256, (PICTURE_SIDE, PICTURE_SIDE, 3), np.uint8)
    cases, more = {}, {}
    for alpha in ALPHAS:
        exact = fixed_share(AdaptiveCodec.untrained(engine=TORCH), alpha)
        sent = exact.encode(picture, alpha, RATIO)
        received = sent.symbols, 1.0, 0.1, sent.kept, RATIO
        logits = exact.decode(*received)
        counted = [multiplications(partial(exact.encode, picture, alpha, RATIO)),
                   multiplications(partial(exact.decode, *received))]  # fmt: skip
        for engine in dict.fromkeys((best_engine(), TORCH)):
            codec = fixed_share(AdaptiveCodec.untrained(engine=engine), alpha)
            errors = [np.abs(codec.encode(picture, alpha, RATIO).symbols - sent.symbols).max(),
                      np.abs(codec.decode(*received) - logits).max()]  # fmt: skip
            runs = partial(codec.encode, picture, alpha, RATIO), partial(codec.decode, *received)
            for side, run, error, mac in zip(("device", "server"), runs, errors, counted, strict=True):
                name = f"{side}, alpha {alpha:g}, {engine}"
                cases[name] = run
                more[name] = {"largest_error": float(error), "million_macs": mac / 1e6}
    for name, timing in interleaved(cases, repetitions).items():
        result.add(name, timing, 1, "frames/s", **more[name])


def made_up_proxy():
    """ProxyTable of all modes whose accuracies rise with tokens, symbols a token and Es/N0, in closed form."""
    table = load_adaptive_table()
    alpha, ratio = (np.array([getattr(mode, name) for mode in table.modes]) for name in ("alpha", "ratio"))
    uses = (1 + POSITIONS * alpha) * [symbols_per_token(each) for each in ratio]
    energy = np.outer(uses, 10 ** (np.array(ESN0_DB) / 10)) / POSITIONS
    accuracy = 0.1 + 0.7 * energy / (1 + energy)
    return ProxyTable(table.alphas, table.ratios, np.array(ESN0_DB), accuracy, uses / SOURCE_VALUES)


def _link_and_controller(result, repetitions):
    policy = LyapunovPolicy(LyapunovConfig(0.02, 10.0, 10.0), made_up_proxy())
    esn0_db = np.random.default_rng(1).normal(10, 2.5, SLOTS)
    cases = {
        "algorithm 2, one run": lambda: simulate(policy.proxy, esn0_db, 0.02, 10.0, 10.0),
        "link and controller, all reports come": lambda: simulate_loop(policy, esn0_db),
        "link and controller, a fifth is lost": lambda: simulate_loop(policy, esn0_db, FeedbackConfig(LOSS)),
    }
    for name, timing in interleaved(cases, repetitions).items():
        result.add(name, timing, SLOTS, "slots/s")


def _whole_loop(result, pictures):
    from tokenlink.models import artifact
    from tokenlink.models.adaptive.picture_codec import AdaptiveCodec

    proxy, table = made_up_proxy(), load_adaptive_table()
    shape = len(table.alphas), len(table.ratios), len(ESN0_DB)
    plain = {"alpha": list(proxy.alphas), "r": list(proxy.ratios), "snr_db": list(ESN0_DB),
             "accuracy": proxy.accuracy.reshape(shape).tolist(),
             "n_tokens": [1 + POSITIONS * alpha for alpha in proxy.alphas]}  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="twist-bench-") as folder:
        root, shown = Path(folder), Path(folder) / "pictures"
        artifact.save_artifact("adaptive", AdaptiveCodec.untrained().model, {}, {"proxy": plain}, root)
        shown.mkdir()
        rng = np.random.default_rng(1)
        for number in range(PICTURES):
            noise = rng.integers(0, 256, (PICTURE_SIDE, PICTURE_SIDE, 3), np.uint8)
            Image.fromarray(noise).save(shown / f"{number:05}.png")
        for number in range(PICTURES, pictures):
            (shown / f"{number:05}.png").symlink_to(shown / f"{number % PICTURES:05}.png")
        config = RunConfig(f"pictures:{shown}", pictures, channel=ChannelConfig("rayleigh", 12.0), system="adaptive",
                           artifacts=folder)  # fmt: skip
        add_run(result, "whole loop with models", config, "frames/s")
