# SPDX-License-Identifier: GPL-3.0-or-later
"""Block errors of both precisions from below the waterfall to certainty: the evidence of docs/ldpc.md.

    python bench/ldpc_errors.py [--blocks 100000] [--seed 1] [--k 40,640,3840,8448] [--fixed 5,10,50,100] [--clear]

16QAM over AWGN, the same bits and noise for every decoder. First table: around the waterfall, an eighth of the blocks,
fewer of long ones. Second: a third of the blocks each at 20 dB, at 40 dB and with certain LLRs; wrong blocks / blocks
with a failed check. `--clear` is the second table alone. Written to standard output as Markdown.
"""

import argparse
from math import inf

from tokenlink.bench.codewords import RATES, WATERFALL_DB, block_errors, code_of

PRECISIONS = ("float32", "int8")
AROUND_DB = (-0.25, 0.0, 0.25, 0.5, 1.0, 2.0)
CLEAR_DB = (20, 40, inf)
STOPPING = {"early stop, 20": {"max_iterations": 20}}


def fixed(iterations):
    """Schedules of so many iterations, none stopped early."""
    return {f"fixed, {n}": {"max_iterations": n, "early_stop": False} for n in iterations}


def decoders(schedules):
    """Keyword arguments of `ldpc.decode` by schedule and precision."""
    return {(name, precision): options | {"precision": precision}
            for name, options in schedules.items() for precision in PRECISIONS}


def around_the_waterfall(sizes, blocks, seed):
    """Block error rates, float32 / int8, one row a code and schedule."""
    print("| k | rate | iterations | " + " | ".join(f"{offset:+g} dB" for offset in AROUND_DB) + " |")
    print("|--:|---|---|" + "--:|" * len(AROUND_DB))
    for k in sizes:
        for rate in RATES:
            code, count = code_of(k, RATES[rate]), max(100, blocks // 8 * min(640, k) // k)
            schedules = STOPPING | fixed((10, 50))
            found = [block_errors(code, WATERFALL_DB[k][rate] + offset, count, decoders(schedules), seed)
                     for offset in AROUND_DB]
            for name in schedules:
                cells = [" / ".join(f"{each[name, p][0] / count:.2g}" for p in PRECISIONS) for each in found]
                print(f"| {k} | {rate} at {WATERFALL_DB[k][rate]:.2f} dB, {count:,} blocks | {name} | "
                      f"{' | '.join(cells)} |", flush=True)


def clear_words(sizes, iterations, blocks, seed):
    """Wrong blocks and blocks with a failed check where there should be none, one row a code."""
    schedules = STOPPING | fixed(iterations)
    print("| k | rate | blocks | " + " | ".join(f"{name}: {p}" for name in schedules for p in PRECISIONS) + " |")
    print("|--:|---|--:|" + "--:|" * len(schedules) * len(PRECISIONS))
    for k in sizes:
        for rate in RATES:
            code, count = code_of(k, RATES[rate]), -(-blocks // len(CLEAR_DB))
            found = [block_errors(code, esn0_db, count, decoders(schedules), seed) for esn0_db in CLEAR_DB]
            cells = [" / ".join(str(sum(each[name, p][i] for each in found)) for i in (0, 1))
                     for name in schedules for p in PRECISIONS]
            print(f"| {k} | {rate} | {len(CLEAR_DB) * count:,} | {' | '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--k", type=_numbers, default=list(WATERFALL_DB))
    parser.add_argument("--fixed", type=_numbers, default=[5, 10, 50, 100])
    parser.add_argument("--clear", action="store_true")
    arguments = parser.parse_args()
    if not arguments.clear:
        around_the_waterfall(arguments.k, arguments.blocks, arguments.seed)
        print()
    clear_words(arguments.k, arguments.fixed, arguments.blocks, arguments.seed)


def _numbers(text):
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    main()
