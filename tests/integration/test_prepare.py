# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist prepare`` from invented frames to files that a run takes, and what it refuses."""

import json
import sys
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
import typer
import yaml

pytest.importorskip("torch")
pytest.importorskip("panda3d")

from typer.testing import CliRunner  # noqa: E402

from tokenlink.cli.main import app  # noqa: E402
from tokenlink.control import load_controller  # noqa: E402
from tokenlink.link.modes import load_mode_table  # noqa: E402
from tokenlink.loop.runner import run_loop  # noqa: E402
from tokenlink.prepare import offline  # noqa: E402


def test_a_trial_on_invented_frames_makes_files_that_a_run_takes(artifacts, config, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    out, figures = tmp_path / "prepared", tmp_path / "figures.json"
    command = ["prepare", "--quick", "--invented", "1", "--invented-frames", "8", "--artifacts", str(artifacts)]
    command += ["--out", str(out), "--json", str(figures)]
    first = CliRunner().invoke(app, command, catch_exceptions=False)
    assert first.exit_code == 0
    written = json.loads(figures.read_text())
    assert written["origin"]["data_origin"] == "invented"
    assert {"utility", "groups", "protection", "thresholds-med", "controllers"} <= written.keys()
    table, control = load_mode_table(out / "twist_default.yaml"), load_controller(out / "twist_controller.yaml")
    assert table.provenance["data_origin"] == "invented"
    assert control.group_map_sha256 == table.group_map_sha256
    mine = replace(config, n_frames=2, mode_table=str(out / "twist_default.yaml"), control=control, radio="simulator")
    assert run_loop(mine, tmp_path / "run").summary["n_frames"] == 2

    again = CliRunner().invoke(app, command, catch_exceptions=False)
    assert again.output.count(" kept ") == len(written["stages"])


HELD_OUT = ("0004", "0008", "0013", "0016")  # those of the published figures, see results/README.md


@pytest.fixture
def opened():
    """Names of all files that this process opens from now on."""
    names, listening = [], [True]
    sys.addaudithook(lambda event, args: listening and event == "open" and names.append(str(args[0])))
    yield names
    listening.clear()


def test_nothing_here_ever_sees_a_test_sequence(artifacts, tmp_path, monkeypatch, opened):
    """Of a folder with every sequence, only those of the validation split are opened; each has one frame of one car."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tracks = tmp_path / "tracking"
    for number in range(21):
        for place, text in (
            ("label_02", "0 1 Car 0 0 -1.5 600 180 660 220 1.5 1.6 4.0 1.0 1.7 20.0 -1.5\n"),
            ("calib", "P2: 721.5 0 609.6 44.9 0 721.5 172.9 0.2 0 0 1 0.003\n"),
        ):
            path = tracks / place / f"{number:04d}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    handed_on = []

    def stop_here(sequences, *_):  # the stages use nothing but what they are handed
        handed_on.extend(sequence.name for sequence in sequences)
        raise typer.Exit

    monkeypatch.setattr(offline, "prepare", stop_here)
    command = ["prepare", "--tracks", str(tracks), "--artifacts", str(artifacts), "--out", str(tmp_path / "prepared")]
    opened.clear()
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.exception
    read = {name.removeprefix(str(tracks)) for name in opened if name.startswith(str(tracks))}
    assert read == {f"/{place}/{n}.txt" for place in ("label_02", "calib") for n in ("0002", "0015")}
    assert [name.split("_")[1] for name in handed_on] == ["0002", "0015"]


def test_drawn_frames_of_a_test_sequence_are_refused(tmp_path):
    for name in HELD_OUT:
        np.save(tmp_path / f"tracks_{name}_s100.npy", np.zeros((1, 128, 512, 3), np.uint8))
        np.savez(tmp_path / f"tracks_{name}_s100.npz", labels=np.zeros((1, 3), np.int64))
    result = CliRunner().invoke(app, ["prepare", "--frames", str(tmp_path), "--out", str(tmp_path / "out")])
    assert result.exit_code != 0 and "do not belong to split val" in str(result.exception)
    assert all(name in str(result.exception) for name in HELD_OUT) and not (tmp_path / "out").exists()


@pytest.mark.parametrize("folder, file", [("link", "twist_default.yaml"), ("control", "twist_controller.yaml"),
                                          ("link", "prior.yaml"), ("control", "prior.yaml")])  # fmt: skip
def test_what_ships_was_prepared_without_the_test_sequences(folder, file):
    text = (resources.files(f"tokenlink.{folder}") / "tables" / file).read_text()
    made = yaml.safe_load(text)["provenance"]
    assert made["split"] == "val" and made["sequences"].keys() == {"tracks_0002_s50", "tracks_0015_s50"}
    assert not any(f"_{name}" in text for name in HELD_OUT)


def test_tracks_that_are_not_there_are_named(artifacts, tmp_path):
    result = CliRunner().invoke(app, ["prepare", "--tracks", str(tmp_path / "no"), "--out", str(tmp_path / "out")])
    assert result.exit_code != 0 and str(tmp_path / "no") in str(result.exception)
