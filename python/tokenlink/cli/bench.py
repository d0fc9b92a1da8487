# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist bench``: how fast the parts are on this machine, beside others, and how their cost grows."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated, Optional

import typer

from tokenlink.cli.options import not_negative, writable_file

OptionalPath = Optional[Path]  # noqa: UP007, UP045 (typer reads it at run time on Python 3.10)
DOCS = Path(__file__).resolve().parents[3] / "docs"
Json = Annotated[OptionalPath, typer.Option(help="Write all figures here as JSON.", callback=writable_file)]
Repetitions = Annotated[int, typer.Option(min=1, help="Rounds over all cases.")]
Peers = Annotated[OptionalPath, typer.Option(help="Interpreter that has sionna-no-rt and ldpc; default: this one.")]
Quick = Annotated[bool, typer.Option("--quick", help="Fewer points of growth.")]
Frames = Annotated[int, typer.Option(min=20, help="Frames through the flowgraph alone.")]
LOOP_FRAMES = "Frames through the whole loop with its models, 0: leave it out."
LoopFrames = Annotated[int, typer.Option(help=LOOP_FRAMES, callback=not_negative)]

app = typer.Typer(
    help="Measure speed on this machine, beside other software. Example: ./twist bench ldpc --json ldpc.json",
    no_args_is_help=True,
)


@app.command()
def ldpc(repetitions: Repetitions = 15, peers_python: Peers = None, quick: Quick = False, json: Json = None) -> None:
    """LDPC decoders and encoder, beside Sionna, ldpc, gr-fec and numpy. Example: ./twist bench ldpc --quick"""
    _measure({"ldpc": lambda: _ldpc(repetitions, peers_python, quick)}, json)


@app.command()
def demap(repetitions: Repetitions = 15, quick: Quick = False, json: Json = None) -> None:
    """Demapper: symbols a second by output. Example: ./twist bench demap"""
    _measure({"demap": lambda: _library("demap", repetitions, quick)}, json)


@app.command()
def link(repetitions: Repetitions = 15, quick: Quick = False, json: Json = None) -> None:
    """The link in one process, tokens to gate: frames a second, profile. Example: ./twist bench link"""
    _measure({"link": lambda: _library("link", repetitions, quick)}, json)


@app.command()
def loop(frames: Frames = 2000, loop_frames: LoopFrames = 300, quick: Quick = False, json: Json = None) -> None:
    """The flowgraph, then the whole loop: rate, latency, memory. Example: ./twist bench loop --loop-frames 10000"""
    _measure({"loop": lambda: _loop(frames, loop_frames, quick)}, json)


@app.command()
def sync(repetitions: Repetitions = 15, quick: Quick = False, json: Json = None) -> None:
    """Burst receiver: samples a second of an empty and of a full stream. Example: ./twist bench sync"""
    _measure({"sync": lambda: _library("sync", repetitions, quick)}, json)


@app.command()
def adaptive(repetitions: Repetitions = 15, quick: Quick = False, json: Json = None) -> None:
    """Adaptive tokens: networks by engine, link and controller, the loop. Example: ./twist bench adaptive --quick"""
    _measure({"adaptive": lambda: _library("adaptive", repetitions, quick)}, json)


@app.command("all")
def everything(
    repetitions: Repetitions = 15,
    peers_python: Peers = None,
    frames: Frames = 2000,
    loop_frames: LoopFrames = 300,
    quick: Quick = False,
    json: Json = None,
    docs: Annotated[bool, typer.Option("--docs", help="Write docs/performance.md and its figures.")] = False,
) -> None:
    """All benches one after the other. Example: ./twist bench all --docs"""
    benches = {
        "ldpc": lambda: _ldpc(repetitions, peers_python, quick),
        **{name: lambda name=name: _library(name, repetitions, quick) for name in ("demap", "link", "sync")},
        "loop": lambda: _loop(frames, loop_frames, quick),
        "adaptive": lambda: _library("adaptive", repetitions, quick),
    }
    _measure(benches, json, DOCS if docs else None)


def _library(name, repetitions, quick):
    from importlib import import_module

    return import_module(f"tokenlink.bench.{name}").bench(repetitions, quick=quick)


def _ldpc(repetitions, peers_python, quick):
    from tokenlink.bench.ldpc import bench

    if peers_python is not None and not peers_python.is_file():
        raise ValueError(f"--peers-python is {peers_python}, expected a Python interpreter")
    return bench(repetitions, peers_python, quick)


def _loop(frames, loop_frames, quick):
    from tokenlink.bench.loop import bench

    return bench(frames, loop_frames, quick)


def _measure(benches, json=None, docs=None):
    """Run benches by name, show them, and write JSON and documentation where asked for."""
    from rich.console import Console

    from tokenlink.bench import document
    from tokenlink.bench.stopwatch import machine
    from tokenlink.files.writing import write_text

    console, facts, results = Console(markup=False), machine(), []
    console.print(document.machine_text(facts), highlight=False)
    if facts["load"] > facts["cores"] / 4:
        console.print(f"others use this machine (load {facts['load']}): figures will be low", style="yellow")
    for name, bench in benches.items():
        with console.status(f"measuring {name}"):
            results.append(bench())
        _show(console, results[-1])
    content = {"machine": facts, "results": [result.as_dict() for result in results]}
    if json:
        write_text(json, json_format.dumps(content, indent=2) + "\n")
    if docs:
        console.print(f"written  {document.write(results, facts, docs)}", soft_wrap=True, highlight=False)


def _show(console, result):
    from rich.table import Table

    from tokenlink.bench.document import TITLES, amount, duration, extra, extra_columns, facts_text

    table = Table(title=TITLES[result.bench], title_justify="left", caption=" ".join(result.notes),
                  caption_justify="left")
    table.add_column("case", min_width=20)
    more = extra_columns(result.rows)
    for name in ("least", "median", "rate", *(title for _, title in more)):
        table.add_column(name, justify="right", no_wrap=True)
    for row in result.rows:
        table.add_row(row["case"], duration(row["minimum_s"]), duration(row["median_s"]),
                      f"{amount(row['rate'])} {row['unit']}", *(extra(row, key) for key, _ in more))
    console.print(table)
    for case in dict.fromkeys(row["case"] for row in result.profile):
        table = Table("stage", title=case, title_justify="left")
        table.add_column("time", justify="right")
        for row in result.profile:
            if row["case"] == case:
                table.add_row(row["stage"], duration(row["minimum_s"]))
        console.print(table)
    if facts := facts_text(result):
        console.print(facts, highlight=False)
