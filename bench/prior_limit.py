# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the decibels between the limit of the news and the loop go: what docs/prior.md says of it, validation tracks.

    python bench/prior_limit.py --tracks kitti_tracking [--limit 60]

Es/N0 at a token state mismatch of 0.05 on AWGN. Bounds first: all symbols pool their capacity for the mean news of a
frame; then each group of each frame stands alone, failing where its news, -log2 P(sent), exceed what its symbols carry
(a group that fails keeps the tokens that the prior finds likeliest); with bit-interleaved instead of symbol-wise
mutual information; with its variance over so many symbols (normal approximation: Polyanskiy, Poor and Verdu, "Channel
coding rate in the finite blocklength regime", 2010); with the news of bits taken one by one, which is all that the
decoder is told without an exchange. Then the decoder, told by a twin that knows the true frames before; "alike" is as
many symbols or fewer with one code rate for all groups. Last the closed loop. Written as Markdown.
"""

import argparse
from dataclasses import replace
from fractions import Fraction

import numpy as np
from scipy.special import ndtr

from tokenlink.channel import ChannelConfig
from tokenlink.link.belief import Belief
from tokenlink.link.modes import load_mode_table
from tokenlink.link.prior_decoding import decide_with_prior, decode_with_prior
from tokenlink.link.prior_schedule import BEST, PRIOR_CODES, exchanges_of
from tokenlink.link.token_prior import DensePrior, bit_messages
from tokenlink.link.twist import demap_groups, encode_frame
from tokenlink.models.inference import BatchModels, load_networks
from tokenlink.phy.capacity import required_esn0_db
from tokenlink.phy.qam import map_bits
from tokenlink.phy.token_bits import tokens_to_bits
from tokenlink.report.prior_gain import crossing
from tokenlink.study.dataset import load_sequences
from tokenlink.study.plan import RunSpec, Task
from tokenlink.study.sweep import load_inputs, make_setting
from tokenlink.study.worker import compute

LEVEL, SEED, SAMPLES = 0.05, 1, 60_000
BOUND_DB, DECODED_DB = np.arange(-8, 14.01, 0.25), np.arange(1.0, 12.1, 0.5)
ALIKE = {"low": Fraction(2, 3), "med": Fraction(1, 2)}


class Foretold:
    """Frames and what a twin that knows the true frames before expects of them."""

    def __init__(self, sequences, predict, table):
        self.sent, self.priors = [], []
        for tokens in (np.asarray(each.token_ids, np.int32) for each in sequences):
            for slot in range(1, len(tokens)):
                before = tokens[slot - 2] if slot > 1 else None
                belief = Belief(tokens[slot - 1], np.ones(tokens.shape[1], np.float32), before)
                self.priors.append(DensePrior(predict([belief])[0]))
                self.sent.append(tokens[slot])
        at = np.arange(table.n_tokens)
        self.news = np.array([-np.log2(p.probability[at, s]) for p, s in zip(self.priors, self.sent, strict=True)])
        self.wrong = np.array([p.probability.argmax(1) != s for p, s in zip(self.priors, self.sent, strict=True)])
        one = 1 / (1 + np.exp(np.array([bit_messages(each) for each in self.priors], float)))
        bits = tokens_to_bits(np.concatenate(self.sent), table.vocab_size).reshape(one.shape)
        self.news_of_bits = -np.log2(np.where(bits, one, 1 - one)).sum(axis=2)


def densities(esn0_db, modulation):
    """Mean and variance of the information a symbol carries, of whole symbols and of their bits one by one."""
    rng, points = np.random.default_rng(SEED), 16
    labels = ((np.arange(points)[:, None] >> np.arange(3, -1, -1)) & 1).astype(np.uint8)
    levels = map_bits(labels.ravel(), modulation)
    sent, n0 = rng.integers(0, points, SAMPLES), 10 ** (-esn0_db / 10)
    noise = np.sqrt(n0 / 2) * (rng.standard_normal(SAMPLES) + 1j * rng.standard_normal(SAMPLES))
    likelihood = np.exp(-np.abs((levels[sent] + noise)[:, None] - levels) ** 2 / n0)
    total = likelihood.sum(axis=1)
    whole = np.log2(points * likelihood[np.arange(SAMPLES), sent] / total)
    same = labels[sent][:, None] == labels  # [samples, points, bits]
    single = sum(np.log2(2 * (likelihood * same[..., j]).sum(axis=1) / total) for j in range(4))
    return whole.mean(), whole.var(), single.mean(), single.var()


def bounds(foretold, table, mode):
    """Es/N0, dB, by name of the bound."""
    uses, total = table.group_uses(mode), table.total_channel_uses(mode)
    curves = np.array([densities(each, table.modulation) for each in BOUND_DB])

    def met(news, mean, variance=None):
        wrong = np.zeros(len(BOUND_DB))
        for positions, n in zip(table.group_positions, uses, strict=True):
            asked, lost = news[:, positions].sum(axis=1), foretold.wrong[:, positions].sum(axis=1)
            short = asked - n * mean[:, None]
            fails = short > 0 if variance is None else ndtr(short / np.sqrt(n * variance[:, None]))
            wrong += (fails * lost).sum(axis=1)
        return crossing(BOUND_DB, wrong / foretold.news.size, LEVEL)

    whole, whole_variance, single, single_variance = curves.T
    del whole_variance
    mean_news = foretold.news.mean() * table.n_tokens / total
    return {
        "mean news, all symbols together": float(required_esn0_db(mean_news, table.modulation)),
        "each group of each frame by itself": met(foretold.news, whole),
        "bits interleaved": met(foretold.news, single),
        "finite length": met(foretold.news, single, single_variance),
        "bits known one by one": met(foretold.news_of_bits, single, single_variance),
    }


def decoded(foretold, table, mode, exchanges, codes=PRIOR_CODES):
    """Es/N0, dB, at which decoding with the true frames known meets the level."""
    found = []
    for esn0_db in DECODED_DB:
        rng, n0, wrong = np.random.default_rng(SEED), 10 ** (-esn0_db / 10), 0
        for sent, dense in zip(foretold.sent, foretold.priors, strict=True):
            symbols = encode_frame(sent, mode, table)
            noise = np.sqrt(n0 / 2) * (rng.standard_normal(len(symbols)) + 1j * rng.standard_normal(len(symbols)))
            llr = demap_groups((symbols + noise).astype(np.complex64), 1.0, n0, mode, table)
            prior = dense if codes is None else dense.sparse(codes)
            got = decode_with_prior(llr, prior, mode, table, exchanges)
            wrong += (decide_with_prior(got.extrinsic_llr, got.prior, table)[0] != sent).sum()
        found.append(wrong / foretold.news.size)
        if found[-1] < LEVEL / 4:
            break
    return crossing(DECODED_DB[: len(found)], found, LEVEL)


def looped(sequences, policy, prior):
    """Es/N0, dB, at which the closed loop meets the level."""
    tables, control = load_inputs()
    setting, found = make_setting("rendered", "val", control, tables), []
    for esn0_db in DECODED_DB:
        channel = ChannelConfig("awgn", float(esn0_db))
        rows = [compute(Task(s.name, channel, (0,), (RunSpec(policy, prior=prior),)), s, setting, tables)[0][1]
                for s in sequences]  # fmt: skip
        found.append(np.average([row["tsmr"] for row in rows], weights=[row["n_frames"] for row in rows]))
        if found[-1] < LEVEL / 4:
            break
    return crossing(DECODED_DB[: len(found)], found, LEVEL)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", required=True)
    parser.add_argument("--limit", type=int, default=60)
    arguments = parser.parse_args()
    table = load_mode_table()
    sequences = load_sequences("rendered", "val", tracks=arguments.tracks, limit=arguments.limit)
    foretold = Foretold(sequences, BatchModels(load_networks(None, table)).predict, table)
    print(f"{len(foretold.sent)} frames; news {foretold.news.mean():.2f} bits a token, of its bits one by one "
          f"{foretold.news_of_bits.mean():.2f}; the likeliest token is wrong at {foretold.wrong.mean():.3f}\n")
    print("| mode | | Es/N0, dB |\n|---|---|--:|")
    for name, rate in ALIKE.items():
        mode = table.mode_named(name)
        rows = bounds(foretold, table, mode)
        for what, options in {"one exchange": (1,), "three": (exchanges_of(BEST),), "four": (4,)}.items():
            rows[f"decoder, true frames known, {what}"] = decoded(foretold, table, mode, *options)
        rows["three, all codes listed"] = decoded(foretold, table, mode, exchanges_of(BEST), None)
        alike = replace(mode, code_rates=(rate,) * table.n_groups)
        rows[f"three, groups alike, {table.total_channel_uses(alike)} symbols"] = decoded(
            foretold, table, alike, exchanges_of(BEST))  # fmt: skip
        rows["closed loop, true frames known"] = looped(sequences, f"static-{name}", "genie")
        rows["closed loop, own state"] = looped(sequences, f"static-{name}", BEST)
        for what, esn0_db in rows.items():
            print(f"| {name}, {table.total_channel_uses(mode)} symbols | {what} | {esn0_db:.1f} |", flush=True)


if __name__ == "__main__":
    main()
