# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages that need no closed loop: utility, groups, error rates, LLR scales, protection; results are plain."""

from dataclasses import asdict

import numpy as np

from tokenlink.link.calibration import fit_llr_scale
from tokenlink.phy.token_bits import bits_per_token
from tokenlink.prepare.error_rates import ErrorCurve, group_code, mean_error_rate, measure_curve, on_channel
from tokenlink.prepare.groups import GROUPINGS, Groups, group_positions
from tokenlink.prepare.protection import all_profiles
from tokenlink.prepare.utility import token_utility

# Es/N0 around the middle of the waterfall at which LLR scales are fitted, dB; elsewhere nothing is in doubt.
SCALE_SPAN_DB = np.linspace(-3, 1, 10)
_CURVE_STREAM, _SCALE_STREAM = 1, 2


def utility_stage(cache, head, embeddings, sequences, mark):
    """Utility of every position over labelled sequences; `mark` fixes the models. Result: "utility"."""

    def make(progress):
        tokens = np.concatenate([s.token_ids for s in sequences]).astype(np.int64)
        labels = np.concatenate([s.labels for s in sequences])
        utility = token_utility(head, embeddings, tokens, labels, progress=progress)
        return {"utility": utility.tolist(), "frames": len(tokens)}

    return cache.run("utility", {"revision": 1, "models": mark, "data": [s.sha256() for s in sequences]}, make)


def groups_stage(cache, settings, utility):
    """Groups of the utility stage. Result: "group_map", "sizes", "utilities", and the same for other groupings."""

    def make(progress):
        return {name: plain_groups(group_positions(utility.result["utility"], settings.n_groups, name))
                for name in GROUPINGS}

    return cache.run("groups", {"revision": 1, "utility": utility.digest, "n_groups": settings.n_groups}, make)


def plain_groups(groups):
    """Groups as plain values."""
    return {name: np.asarray(value).tolist() for name, value in asdict(groups).items()}


def read_groups(plain):
    """Groups of plain values."""
    return Groups(*(np.array(plain[name]) for name in ("group_map", "sizes", "utilities")))


def error_stage(cache, settings, sizes, vocab_size):
    """Error curves of every group size and code rate. Result: {"<n_g> <rate>": curve}; groups of one size share it."""
    first, last, step = settings.curve_db
    levels = np.arange(first, last + step / 2, step)
    inputs = {
        "revision": 1, "sizes": sorted({int(n) for n in sizes}), "code_rates": list(map(str, settings.code_rates)),
        "bits_per_token": bits_per_token(vocab_size), "modulation": settings.modulation, "esn0_db": levels.tolist(),
        "blocks": settings.curve_blocks, "max_iterations": settings.max_iterations, "seed": settings.seed,
    }  # fmt: skip

    def make(progress):
        curves, done, total = {}, 0, len(inputs["sizes"]) * len(inputs["code_rates"]) * len(levels)
        for n_tokens in inputs["sizes"]:
            for rate in settings.code_rates:
                code, uses = group_code(n_tokens, rate, inputs["bits_per_token"], settings.modulation)
                rng = np.random.default_rng((settings.seed, _CURVE_STREAM, n_tokens, uses))
                curve = measure_curve(
                    code, inputs["bits_per_token"], settings.modulation, levels, settings.curve_blocks,
                    settings.max_iterations, rng, lambda first=done: progress(first, total),
                )  # fmt: skip
                done += len(levels)
                progress(done, total)
                curves[f"{n_tokens} {rate}"] = {
                    "esn0_db": levels.tolist(), "token_error_rate": curve.token_error_rate.tolist(),
                    "half_width": curve.half_width.tolist(), "blocks": curve.blocks, "channel_uses": uses,
                    "rayleigh": {f"{x:g}": float(on_channel(curve, "rayleigh", x)) for x in settings.mix.esn0_db},
                }  # fmt: skip
        return curves

    return cache.run("error-rates", inputs, make)


def protection_stage(cache, settings, groups, errors):
    """Best profile of every mode, and all others. Result: {mode: {"code_rates", "profiles", ...}}.

    `errors` is the stage of the error curves, averaged over the mix of each mode, or the one of `told_errors`.
    """
    mixes = {name: settings.mix_of(name) for name, _ in settings.budgets}
    inputs = {
        "revision": 1, "errors": errors.digest, "sizes": groups.sizes.tolist(), "utilities": groups.utilities.tolist(),
        "budgets": [[name, settings.budget_of(share)] for name, share in settings.budgets],
        "mixes": {name: [list(mix.channels), list(mix.esn0_db)] for name, mix in mixes.items()},
    }  # fmt: skip

    def make(progress):
        modes = {}
        for name, budget in inputs["budgets"]:
            rates, uses = _told(errors.result) or _averaged(errors.result, settings, groups, mixes[name])
            profiles = all_profiles(groups.utilities, rates, uses, budget)
            modes[name] = {
                "budget": budget,
                "code_rates": [str(settings.code_rates[i]) for i in profiles[0].choice],
                "error_rates": rates,
                "profiles": [
                    [" ".join(str(settings.code_rates[i]) for i in p.choice), p.objective, p.channel_uses, p.feasible]
                    for p in profiles
                ],
            }
        return modes

    return cache.run("protection", inputs, make)


def _told(result):
    """Error rates and channel uses [n_groups][n_rates] measured in the loop, None where they are curves."""
    return (result["error_rates"], result["channel_uses"]) if "error_rates" in result else None


def _averaged(result, settings, groups, mix):
    """As `_told`, of error curves over a mix."""
    rows = [[result[f"{n} {rate}"] for rate in settings.code_rates] for n in groups.sizes]
    rates = [[mean_error_rate(read_curve(c), mix.channels, mix.esn0_db) for c in row] for row in rows]
    return rates, [[curve["channel_uses"] for curve in row] for row in rows]


def read_curve(plain):
    """ErrorCurve of plain values."""
    arrays = (np.array(plain[name]) for name in ("esn0_db", "token_error_rate", "half_width"))
    return ErrorCurve(*arrays, plain["blocks"])


def scale_stage(cache, settings, n_tokens, vocab_size):
    """LLR multipliers per iteration limit and code rate, with codes of n_tokens. Result: {limit: {rate: fit}}."""
    bits = bits_per_token(vocab_size)
    rates = sorted({*settings.code_rates, *settings.scale_rates})
    limits = sorted({*settings.scale_iterations, settings.max_iterations})
    inputs = {
        "revision": 1, "n_tokens": n_tokens, "bits_per_token": bits, "code_rates": list(map(str, rates)),
        "iterations": limits, "modulation": settings.modulation, "blocks": settings.scale_blocks, "seed": settings.seed,
    }  # fmt: skip

    def make(progress):
        fits, done = {}, 0
        for limit in limits:
            fits[str(limit)] = {}
            for rate in rates:
                code, _ = group_code(n_tokens, rate, bits, settings.modulation)
                rng = np.random.default_rng((settings.seed, _SCALE_STREAM, limit, rate.numerator, rate.denominator))
                levels = waterfall_db(float(rate)) + SCALE_SPAN_DB
                fit = fit_llr_scale(code, settings.modulation, bits, limit, levels, settings.scale_blocks, rng)
                fits[str(limit)][str(rate)] = asdict(fit) | {"esn0_db": list(fit.esn0_db)}
                done += 1
                progress(done, len(limits) * len(rates))
        return fits

    return cache.run("llr-scale", inputs, make)


def waterfall_db(code_rate):
    """Es/N0 in dB about which a code of a few hundred bits on 16QAM fails, linear between known rates."""
    known = {1 / 5: 0.6, 1 / 3: 3.7, 1 / 2: 6.5, 2 / 3: 9.1, 3 / 4: 10.4, 5 / 6: 11.9, 8 / 9: 13.1}
    return float(np.interp(code_rate, list(known), list(known.values())))

