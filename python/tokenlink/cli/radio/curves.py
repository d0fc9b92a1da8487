# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist radio curves``: what the burst modem can do, measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from tokenlink.cli.options import writable_file, writable_folder

OptionalPath = Optional[Path]  # noqa: UP007, UP045 (typer reads it at run time on Python 3.10)
PARTS = ("detection", "delivery", "loss", "calibration", "ranges", "throughput")
OUT = Path("runs/curves")
JSON = "Write the data here; default: curves.json in --out."
DUTIES = (0.0, 0.25, 1.0)
SCHEMA = "burst-curves/1"
DETECTION_ESN0_DB = (-6.0, -4.0, -2.0, 0.0, 2.0, 3.66)
DELIVERY_ESN0_DB = (-3.0, -2.0, -1.0, 0.0, 0.66, 2.0)


def curves(
    out: Annotated[Path, typer.Option(help="Folder for the figures, PNG and SVG.", callback=writable_folder)] = OUT,
    json: Annotated[OptionalPath, typer.Option(help=JSON, callback=writable_file)] = None,
    only: Annotated[str, typer.Option(help=f"Some of {','.join(PARTS)}.")] = ",".join(PARTS),
    bursts: Annotated[int, typer.Option(help="Bursts at the sensitivity of the payload; others scale with it.")] = 6000,
    seed: Annotated[int, typer.Option(help="Of every draw.")] = 1,
) -> None:
    """Measure detection, lost bursts, loss per code rate, calibration, impairment ranges and throughput.

    Takes some three minutes with 6000 bursts. Example: ./twist radio curves --out runs/curves
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from tokenlink.evidence.burst_figures import draw_all

    parts = [part.strip() for part in only.split(",") if part.strip()]
    unknown = sorted(set(parts) - set(PARTS))
    if unknown or not parts:
        raise ValueError(f"--only is {only!r}, expected some of {','.join(PARTS)}")
    if not 10 <= bursts <= 10_000_000:
        raise ValueError(f"--bursts is {bursts}, expected 10 to 10000000")
    results = {"schema": SCHEMA, "seed": seed, "bursts": bursts}
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, transient=True) as bar:
        for part in parts:
            steps, measure = _plan(part, bursts, seed)
            task = bar.add_task(part, total=steps)
            results[part] = measure(lambda task=task: bar.advance(task))
    _write(json or out / "curves.json", results)
    for part in parts:
        _SHOW[part](results[part])
    for path in draw_all(results, out):
        print(path)


def _plan(part, bursts, seed):
    """Number of steps of a part, and the function that measures it and calls back at each."""
    import numpy as np

    from tokenlink.evidence import burst_detection, burst_loss, burst_ranges
    from tokenlink.phy.pulse import Pulse

    rng = np.random.default_rng((seed, PARTS.index(part)))
    if part == "detection":
        trials, positions = max(bursts // 3, 10), 5000 * bursts
        return len(DETECTION_ESN0_DB) + 1, lambda step: burst_detection.detection_curves(
            DETECTION_ESN0_DB, trials, positions, Pulse(), rng, step
        )
    if part == "delivery":
        plan = [(level, max(bursts // 4, 10)) for level in DELIVERY_ESN0_DB]
        plan += [(burst_detection.PAYLOAD_SENSITIVITY_DB, bursts)]
        return sum(count for _, count in plan), lambda step: [
            burst_detection.delivery(level, count, rng, progress=step) for level, count in plan
        ]
    if part == "loss":
        rates, points = len(burst_loss.PERFECT_ESN0_DB), len(burst_loss.OFFSETS_DB)
        return rates * points, lambda step: burst_loss.implementation_loss(max(bursts // 10, 20), rng, progress=step)
    if part == "calibration":
        return max(bursts // 10, 10), lambda step: burst_loss.calibration(max(bursts // 10, 10), rng, progress=step)
    if part == "throughput":
        count = max(min(bursts // 100, 60), 10)
        return len(DUTIES), lambda step: [
            (burst_detection.throughput(duty, count, rng), step())[0] for duty in DUTIES
        ]
    steps = sum(map(len, burst_ranges.RANGES.values()))
    return steps, lambda step: burst_ranges.impairment_ranges(max(bursts // 300, 3), seed, step)


def _show_detection(data):
    print(f"noise: {data['noise_positions']} positions; {data['trials']} preambles per Es/N0; "
          f"threshold {data['working_threshold']:.4f}, passed by noise at {data['p_false_at_working_threshold']:.1e}")
    for level, row in zip(data["esn0_db"], data["missed_at_working_threshold"], strict=True):
        print(f"  {level:6.2f} dB: missed {row['missed']:5d}, 95 % {row['low']:.5f} to {row['high']:.5f}")


def _show_delivery(rows):
    print("bursts delivered, detection and header together")
    for row in rows:
        print(f"  {row['esn0_db']:6.2f} dB: {row['delivered']} of {row['sent']}, {row['not_detected']} not detected, "
              f"{row['header_lost']} headers lost, {row['false']} false; lost at most {row['lost_high']:.5f} (95 %)")


def _show_loss(rows):
    print("Es/N0 at BLER 1e-1: perfect, estimated, loss")
    for row in rows:
        print(f"  rate {row['rate']}: {row['perfect_db']:6.2f} {row['estimated_db']:6.2f} {row['loss_db']:6.2f} dB, "
              f"{sum(row['blocks'])} blocks")


def _show_calibration(data):
    print(f"confidence: ECE {data['perfect']['ece']:.4f} with perfect, {data['estimated']['ece']:.4f} with estimated "
          f"CSI; {data['frames']} frames, {data['lost']} lost")


def _show_ranges(rows):
    print("impairments at 20 dB: bursts delivered, error vector, Es/N0 reported")
    for row in rows:
        fields = ", ".join(f"{key} {value}" for key, value in row["fields"].items()) or "none"
        level = "" if row["evm_db"] is None else f"{row['evm_db']:6.1f} dB {row['reported_esn0_db']:6.1f} dB"
        print(f"  {row['delivered']:3d}/{row['sent']} {level}  {fields}")


def _show_throughput(rows):
    print("received on one core, million samples a second by the clock, and of the core's time")
    for row in rows:
        print(f"  bursts {row['duty']:4.0%} of the time: {row['samples_per_second'] / 1e6:5.1f} "
              f"{row['samples_per_cpu_second'] / 1e6:5.1f}")


_SHOW = {
    "detection": _show_detection, "delivery": _show_delivery, "loss": _show_loss, "calibration": _show_calibration,
    "ranges": _show_ranges, "throughput": _show_throughput,
}  # fmt: skip


def _write(path, results):
    import json as json_module

    from tokenlink.files.writing import write_text

    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json_module.dumps(results, indent=1) + "\n")
