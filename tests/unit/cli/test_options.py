# SPDX-License-Identifier: GPL-3.0-or-later
"""What commands refuse before they work: what they could not write, inputs that are not there, options of no effect."""

import json
import shutil

import pytest
from typer.main import get_command

from tokenlink.cli.main import app, run_app
from tokenlink.cli.run_options import MAX_SLOTS, parse_modes, parse_slots
from tokenlink.data.splits import DatasetError
from tokenlink.files import outputs
from tokenlink.models.artifact_files import DEFAULT_DIR, read_manifest, sha256_of
from tokenlink.study.inputs import check_inputs


def all_commands(group, names=()):
    """(words, command) of every command, those of groups behind the group's."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from all_commands(command, (*names, name))
        else:
            yield (*names, name), command


WRITING = [
    (words, option)
    for words, command in all_commands(get_command(app))
    for option in ("json", "out")
    if option in {param.name for param in command.params}
]
NEEDED = {
    ("figure",): ["4"],
    ("loopback",): ["--frames-from", "invented:1"],
    ("host", "account"): ["a", "b"],
    ("radio", "record"): ["--out", "recording"],
}


def refused(capsys, *arguments):
    """The one sentence a command ends with."""
    assert run_app([str(word) for word in arguments]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("twist: ")
    return lines[0].removeprefix("twist: ")


def test_there_are_many_commands_that_write():
    assert len(WRITING) > 35 and {option for _, option in WRITING} == {"json", "out"}


@pytest.mark.parametrize(("words", "option"), WRITING, ids=lambda value: "".join(value))
def test_what_cannot_be_written_is_refused_before_any_work(words, option, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file")
    sentence = refused(capsys, *words, *NEEDED.get(words, []), f"--{option}", tmp_path / "taken" / "x")
    assert f"--{option} is {tmp_path / 'taken'}" in sentence
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_files_and_folders_that_can_be_written_are_left_as_they_are(tmp_path):
    old = tmp_path / "old.json"
    old.write_text("{}")
    for path in (old, tmp_path / "new.json"):
        outputs.check_file(path, "--json")
    for path in (tmp_path, tmp_path / "runs" / "a" / "b"):
        outputs.check_folder(path, "--out")
    assert [path.name for path in tmp_path.iterdir()] == ["old.json"] and old.read_text() == "{}"
    for path, said in (tmp_path, "a folder; expected a file"), (tmp_path / "no" / "x.json", "there is no folder"):
        with pytest.raises(outputs.OutputError, match=said):
            outputs.check_file(path, "--json")


@pytest.mark.parametrize(
    ("path", "check"), [("/proc/x.json", outputs.check_file), ("/proc/x", outputs.check_folder)], ids=["file", "folder"]
)
def test_a_file_system_that_takes_no_files_is_named(path, check):
    with pytest.raises(outputs.OutputError, match=f"--x is {path}.* cannot be written"):
        check(path, "--x")


EVALUATE, LOOPBACK = ["evaluate"], ["loopback", "--frames-from", "invented:1", "--radio", "simulator"]
TX, RX = ["host", "tx"], ["host", "rx"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([*EVALUATE, "--tracks", "."], "--tracks has no effect with origin invented, expected origin rendered"),
        ([*EVALUATE, "--frames", "."], "--frames has no effect with origin invented, expected origin rendered"),
        ([*EVALUATE, "--real", "."], "--real has no effect with origin invented, expected origin real"),
        ([*EVALUATE, "--test", "0010"], "test sequences are named for origin invented"),
        ([*EVALUATE, "--origin", "real", "--tracks", "."], "--tracks has no effect with origin real"),
        ([*EVALUATE, "--origin", "rendered", "--tracks", "a", "--frames", "b"], "--tracks a has no effect beside"),
        ([*EVALUATE, "--origin", "rendered", "--tracks", "no"], "--tracks is no, and there is no such folder"),
        ([*EVALUATE, "--origin", "real", "--real", "nowhere"], "--real is nowhere, and there is no such folder"),
        ([*EVALUATE, "--realisations", "0"], "--realisations is 0, expected >= 1"),
        ([*EVALUATE, "--limit", "0"], "--limit is 0, expected >= 1"),
        ([*EVALUATE, "--workers", "-1"], "--workers is -1, expected >= 0"),
        ([*EVALUATE, "--snrs", ""], "--snrs is '', expected numbers of dB"),
        ([*EVALUATE, "--snrs", "nan"], "--snrs is 'nan', expected numbers of dB"),
        ([*EVALUATE, "--policies", ","], "--policies is ',', expected one at least"),
        ([*EVALUATE, "--policies", "best"], "policy is 'best', expected one of"),
        ([*EVALUATE, "--receivers", "best"], "receiver is 'best', expected one of"),
        ([*EVALUATE, "--channels", "vacuum"], "'vacuum', expected one of"),
        ([*EVALUATE, "--priority", "mine"], "priority is 'mine', expected one of"),
        ([*EVALUATE, "--study", "feedback", "--receivers", "hold"], "--receivers has no effect with --study feedback"),
        ([*EVALUATE, "--scheduler", "a:1", "--workers", "4"], "--workers has no effect with --scheduler"),
        (["figure", "4", "--tracks", "."], "--tracks has no effect with figure 4: frames are shown in figure 8"),
        (["prepare", "--invented", "0"], "--invented is 0, expected >= 1"),
        (["prepare", "--tracks", ".", "--invented", "3"], "--invented has no effect with --tracks or --frames"),
        ([*LOOPBACK, "--frames", "500"], "invented:1 has 120 frames, 500 are asked for"),
        ([*LOOPBACK, "--rician-k-db", "3"], "--rician-k-db has no effect with --channel awgn"),
        ([*LOOPBACK, "--fading-correlation", "0.5"], "--fading-correlation has no effect with --channel awgn"),
        ([*LOOPBACK, "--levels-db", "0,3", "--block-slots", "4"],
         "--levels-db and --block-slots have no effect with --trajectory constant: leave them out"),
        ([*LOOPBACK, "--walk-std-db", "2"], "--walk-std-db has no effect with --trajectory constant"),
        ([*LOOPBACK, "--radio", "running", "--snr-db", "3"], "--snr-db has no effect with --radio running"),
        ([*LOOPBACK, "--radio", "virtual", "--profile", "virtual", "--channel", "rayleigh"],
         "--channel has no effect with --profile virtual, whose air is the channel"),
        ([*LOOPBACK, "--lost-slots", "0-999999999999"], "which are 1000000000000 slots, expected at most 1000000"),
        ([*LOOPBACK, "--lost-slots", "0-" + "9" * 5000], "expected slots and rising ranges"),
        ([*LOOPBACK, "--lost-slots", "²"], "expected slots and rising ranges"),
        ([*TX, "--frames-from", "nowhere"], "wrong frame source 'nowhere': no such folder"),
        ([*TX, "--frames-from", "kitti-tracking:nowhere/0004"], "no such folder: nowhere/image_02/0004"),
        ([*TX, "--frames-from", "invented:12", "--frames", "500"], "invented:12 has 120 frames, 500 are asked for"),
        ([*TX, "--snr-db", "3"], "--snr-db has no effect without --feedback air"),
        ([*TX, "--peer-name", "rx"], "--peer-name has no effect without --keys"),
        ([*RX, "--controller", "nowhere.yaml"], "controller nowhere.yaml: No such file"),
        ([*RX, "--system", "adaptive", "--fallback-mode", "3"], "system adaptive has no fallback_mode: its settings"),
        ([*RX, "--system", "adaptive", "--policy", "twist"], "policy is 'twist', expected one of lyapunov, fixed"),
        (["radio", "link-test", "--system", "adaptive", "--mode", "50"], "mode_id is 50, must be in 0..49"),
        (["radio", "tx", "--system", "adaptive", "--mode-table", "prior"], "prior.yaml: field is ["),
        ([*RX, "--radio-address", "tcp://127.0.0.1:1"], "--radio-address has no effect with --radio simulator"),
        ([*RX, "--radio", "gnuradio", "--profile", "virtual", "--snr-db", "3"],
         "--snr-db has no effect with --radio gnuradio: the air is that of the profile"),
        ([*RX, "--radio", "gnuradio", "--profile", "b210", "--radio-address", "tcp://127.0.0.1:1"],
         "--radio-address has no effect with a profile of kind uhd"),
        (["radio", "tx", "--radio-name", "air"], "--radio-name is 'air' and has no effect without --keys"),
        (["radio", "tx", "--bursts", "0"], "--bursts is 0, expected >= 1"),
        (["radio", "rx", "--duration", "nan"], "--duration is nan, expected > 0"),
        (["radio", "rx", "--gain", "3", "--calibration", "x.yaml"], "--gain 3 and --calibration x.yaml both"),
        (["radio", "rx", "--calibration", "x.yaml"], "calibration x.yaml: No such file"),
        (["radio", "replay", "x", "--repeat", "3"], "--repeat has no effect without --address"),
        (["radio", "replay", "x", "--address", "tcp://127.0.0.1:1", "--json", "x.json"], "--json has no effect with"),
        (["radio", "emulator", "--channel-of", "run.json"], "run.json is no config.json of a run"),
        (["radio", "soak", "--minutes", "0"], "--minutes is 0.0, expected > 0"),
        (["train", "head", "--minutes", "-1"], "--minutes is -1.0, expected > 0"),
        (["bench", "loop", "--loop-frames", "-1"], "--loop-frames is -1, expected >= 0"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)  # fmt: skip
def test_what_would_change_nothing_or_is_not_there_is_refused(arguments, sentence, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"source": "x"}))
    out = ["--out", "made"] if arguments[0] in ("loopback", "host", "prepare") else []
    assert sentence in refused(capsys, *arguments, *out)
    assert not (tmp_path / "made").exists()


def test_what_is_used_is_not_refused():
    check_inputs("invented", "test")
    check_inputs("rendered", "val", tracks=".")
    check_inputs("rendered", "test", frames=".", names=["0099"])
    check_inputs("real", "test", real=["."])
    with pytest.raises(DatasetError, match="origin real needs --real"):
        check_inputs("real", "test")


def test_a_transmitting_host_tries_its_weights_before_it_waits(tmp_path, capsys):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file, save_file

    weights = shutil.copytree(DEFAULT_DIR, tmp_path / "artifacts") / "tokenizer" / "weights.safetensors"
    tensors = load_file(weights)
    tensors["quantizer._codebook.embed"].view(-1)[-1] = torch.nan
    save_file(tensors, weights)
    manifest = read_manifest(tmp_path / "artifacts")
    manifest["tokenizer"]["weights.safetensors"] = {"bytes": weights.stat().st_size, "sha256": sha256_of(weights)}
    (tmp_path / "artifacts" / "manifest.json").write_text(json.dumps(manifest))
    own = ["--artifacts", tmp_path / "artifacts", "--out", tmp_path / "run", "--wait", "0.5"]
    assert "weights of tokenizer are not finite: 1 of" in refused(capsys, *TX, *own)
    assert not (tmp_path / "run").exists()


def test_as_many_slots_as_are_allowed_are_taken():
    assert len(parse_slots(f"1-{MAX_SLOTS}", "--x")) == MAX_SLOTS
    with pytest.raises(ValueError, match="expected at most 1000000"):
        parse_slots(f"0-{MAX_SLOTS - 1},5", "--x")
    with pytest.raises(ValueError, match="three mode numbers"):
        parse_modes("0,1,²")


def test_render_looks_at_all_sequences_before_it_draws_one(tmp_path, capsys):
    for folder in ("label_02", "calib"):
        (tmp_path / "training" / folder).mkdir(parents=True)
        (tmp_path / "training" / folder / "0001.txt").touch()
    command = ["render", "--out", tmp_path / "out", "--tracks", tmp_path, "--sequences", "0001", "0002"]
    assert "no such file" in refused(capsys, *command) and not (tmp_path / "out").exists()
    assert run_app([*map(str, command), "--stride", "0"]) == 2
    assert "--stride is 0, expected >= 1" in capsys.readouterr().err
