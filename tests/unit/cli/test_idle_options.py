# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option of every command is used, or refused where what was chosen beside it leaves it without effect."""

from pathlib import Path

import pytest
from typer.main import get_command

from tokenlink.cli.main import app, run_app
from tokenlink.cli.render import _parser

INVENTED = Path(__file__).parents[2] / "vectors" / "first_evaluation"  # results
BASE = {  # what a command needs to be complete
    "loopback": "--frames-from invented:1",
    "figure": "4",
    "host account": "a b",
    "radio record": "--out recording",
    "radio replay": "x.sigmf-meta",
    "report": f"--results {INVENTED}",
    "render": "--out made",
    "train tokcode encoder": "--prompts .",
}
#: option and value -> what leaves it without effect; several of them with |
IDLE = {
    "demo": {
        "--scene 3": "--frames-from invented:1",
        "--seed 3": "--radio running",
        "--profile virtual": "--radio simulator",
    },
    "loopback": {
        "--channel rayleigh": "--radio running | --radio virtual --profile virtual",
        "--snr-db 3": "--radio running | --radio virtual --profile virtual",
        "--rician-k-db 3": "--channel awgn | --channel rayleigh | --radio running",
        "--fading-correlation 0.5": "--channel awgn | --radio running",
        "--coherence-blocks 4": "--channel awgn | --radio running | --radio virtual --profile virtual",
        "--trajectory blockwise": "--radio running | --radio virtual --profile virtual",
        "--levels-db 0,3": "--trajectory constant | --trajectory gauss-markov",
        "--block-slots 4": "--trajectory constant | --trajectory gauss-markov",
        "--walk-std-db 2": "--trajectory constant | --trajectory blockwise",
        "--hold-slots 2": "--policy static-low | --system adaptive --policy fixed",
        "--fallback-mode 1": "--policy static-high",
        "--completion copy": "--system adaptive | --system tokcode",
        "--urgent-slots 3": "--system adaptive | --system tokcode",
        "--alpha 0.5": "--system adaptive | --system twist",
        "--ratio 0.5": "--system adaptive | --system twist",
        "--mode 1": "--system tokcode | --system tokcode --policy by-snr | --system twist",
        "--text a.txt": "--frames-from invented:1",
        "--lyapunov-v 1": "--system adaptive --policy fixed",
        "--seed 3": "--radio running",
        "--profile virtual": "--radio simulator | --radio running",
        "--flowgraph x.grc": "--radio simulator | --radio running | --radio virtual",
    },
    "evaluate": {
        "--tracks .": "--system adaptive | --origin invented | --origin real --real . | --origin rendered --frames .",
        "--frames .": "--origin invented | --origin real --real .",
        "--real .": "--origin invented | --origin rendered --tracks .",
        "--split val": "--origin real --real .",
        "--test 0099": "--system adaptive | --origin invented | --origin real --real . | "
                       "--origin rendered --tracks . --split val",
        "--receivers hold": "--system adaptive | --study feedback | --study pareto | --study temporal | --study prior",
        "--workers 4": "--scheduler a:1",
        **{f"--{option}": "--system adaptive" for option in (
            "origin real", "policies twist", "priority none", "mode-table x.yaml", "controller x.yaml")},
        "--pictures .": "--system twist | --system tokcode",
        "--texts a.txt": "--system twist | --system adaptive",
        "--methods jpeg": "--system twist",
        "--snrs 3": "--system adaptive --pictures . --study control | --system tokcode --texts a.txt",
        "--channels awgn": "--system adaptive --pictures . --study control | --system tokcode --texts a.txt",
        "--realisations 2": "--system adaptive --pictures . --study control | "
                            "--system adaptive --pictures . --study air",
    },
    "figure": {"--tracks .": "", "--frames .": "", "--real .": "", "--pictures .": "", "--artifacts .": ""},
    "report": {"--tracks .": "| --system adaptive", "--frames .": "", "--real .": "", "--pictures .": ""},
    "prepare": {
        "--invented 3": "--tracks . | --frames . | --system adaptive",
        "--invented-frames 30": "--tracks . | --frames . | --quick",
        "--tracks .": "--frames . | --system adaptive",
        "--frames .": "--system adaptive",
        **{f"--{option}": "--system adaptive" for option in (
            "groups 3", "grouping equal", "compare-groupings", "mismatch-weight 3", "target-cost 1", "prior once",
            "quick", "seed 3", "stages .", "json x.json")},
    },
    "train tokcode encoder": {
        "--choice any": "--way taught",
        "--t5 .": "--way taught",
        "--sentence-t5 .": "--way taught",
        "--searched 5": "--way sfma",
    },
    "render": {"--tracks .": "--invented 1", "--frames 9": "--tracks . --sequences 0001"},
    "host tx": {
        "--channel awgn": "--feedback network | --feedback air --radio gnuradio --profile b210",
        "--snr-db 3": "--feedback network | --feedback air --radio gnuradio --profile b210",
        "--seed 3": "--feedback network | --feedback air --radio gnuradio --profile b210",
        "--hold-slots 2": "--policy static-low",
        "--fallback-mode 1": "--policy static-high",
        "--hold-slots 3": "--system adaptive --policy fixed",
        "--peer-name rx": "",
        "--radio-name air": "| --radio gnuradio --profile virtual",
        "--radio-address ipc:///x": "--radio simulator | --radio gnuradio --profile b210",
    },
    "host rx": {
        "--channel awgn": "--radio gnuradio --profile b210 | --radio gnuradio --profile virtual",
        "--snr-db 3": "--radio gnuradio --profile b210 | --radio gnuradio --profile virtual",
        "--seed 3": "--radio gnuradio --profile virtual",
        "--hold-slots 2": "--policy static-low",
        "--fallback-mode 1": "--policy static-high",
        "--hold-slots 3": "--system adaptive --policy fixed",
        "--urgent-slots 3": "--system adaptive",
        "--completion copy": "--system adaptive",
        "--peer-name tx": "",
        "--radio-name air": "| --radio gnuradio --profile virtual",
        "--radio-address ipc:///x": "--radio simulator | --radio gnuradio --profile b210",
    },
    "radio tx": {"--radio-name air": "", "--calibration x.yaml": "--gain 3"},
    "radio rx": {"--radio-name air": "", "--calibration x.yaml": "--gain 3"},
    "radio record": {"--radio-name air": "", "--calibration x.yaml": "--gain 3", "--mode 1": ""},
    "radio link-test": {"--radio-name air": ""},
    "radio replay": {
        "--profile virtual": "--address ipc:///x",
        "--repeat 3": "",
        "--keys .": "",
        "--mode-table x.yaml": "--address ipc:///x",
        "--system adaptive": "--address ipc:///x",
        "--json x.json": "--address ipc:///x",
    },
}  # fmt: skip
RUN = "policy artifacts out json system mode_table"
HOST = f"{RUN} controller listen peer keys profile radio feedback"
RADIO = "profile bursts mode seed link address system mode_table keys json"
#: options that mean something whatever is chosen beside them
ALWAYS = {
    "demo": "frames_from frames radio mode_table controller artifacts out json system prior monitor",
    "loopback": f"{RUN} frames_from feedback_loss feedback_delay lost_slots level_modes frames ratio_limit lyapunov_mu "
                "radio slot_timeout controller report prior monitor",
    "doctor": "json",
    "grc": "flowgraph",
    "evaluate": "study limit quick artifacts out scheduler json system",
    "figure": "number results out system",
    "claims": "results out keep_rows system",
    "report": "results out system artifacts",
    "keys": "hosts out",
    "new block": "name folder",
    "prepare": "out artifacts system",
    "test": "",
    "render": "out sequences seed mirror invented per_density stride",
    "radio emulator": "profile address seed duration keys channel_of json",
    "radio tx": f"{RADIO} gain first_slot wait",
    "radio rx": f"{RADIO} gain duration idle wait",
    "radio record": f"{RADIO.replace(' mode ', ' ')} gain duration idle wait out datatype",
    "radio link-test": RADIO,
    "radio soak": "minutes profile seed every system artifacts out json",
    "radio check": "profile mode_table json",
    "radio calibrate": "profile tx_gains rx_gains bursts mode out system mode_table json",
    "radio replay": "recording address",
    "radio curves": "out json only bursts seed",
    "radio usrp": "virtual profile address seed product pace duration",
    "train tokenizer": "cache work minutes steps processes real texture start rate out json",
    "train head": "cache work minutes out json",
    "train completion": "cache work minutes out json",
    "train predictor": "cache work minutes out json",
    "train decoder": "cache work minutes real out json",
    "train adaptive backbone": "pictures work minutes steps processes from_nothing",
    "train adaptive pairs": "pictures training work minutes steps processes out from_nothing",
    "train adaptive scenes": "cache work steps pairs_steps processes out",
    "train adaptive baseline": "name pictures training work steps pairs_steps processes out from_nothing",
    "train tokcode vocabulary": "prompts out",
    "train tokcode sentences": "prompts work minutes steps batch out",
    "train tokcode foundation": "prompts work minutes steps batch out",
    "train tokcode encoder": "prompts way rank lost work minutes steps batch rate out",
    "train tokcode compare": "prompts split limit llm out",
    "bench ldpc": "repetitions peers_python quick json",
    "bench demap": "repetitions quick json",
    "bench link": "repetitions quick json",
    "bench loop": "frames loop_frames quick json",
    "bench sync": "repetitions quick json",
    "bench adaptive": "repetitions quick json",
    "bench all": "repetitions peers_python frames loop_frames quick json docs",
    "host tx": f"{HOST} monitor frames_from frames period patience wait",
    "host rx": f"{HOST} monitor feedback_loss feedback_delay lost_slots prior",
    "host account": "tx_folder rx_folder out json",
}  # fmt: skip
CASES = [(command, option, beside.strip()) for command, options in IDLE.items()
         for option, each in options.items() for beside in each.split("|")]  # fmt: skip
SAID = ("no effect", ", expected none with radio", "test sequences are named for origin", "both say the gain")


def parameters(group, names=()):
    """(name of a command, names of its parameters) of all commands."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from parameters(command, (*names, name))
        else:
            found = {param.name for param in command.params if param.name != "help"}
            yield " ".join((*names, name)), found


def test_of_every_option_is_said_whether_something_leaves_it_idle():
    found = dict(parameters(get_command(app)))
    found["render"] = {action.dest for action in _parser()._actions} - {"help"}
    idle = {name: {option.split()[0].strip("-").replace("-", "_") for option in each} for name, each in IDLE.items()}
    assert not any(idle.get(name, set()) & set(ALWAYS[name].split()) for name in found)
    assert {name: idle.get(name, set()) | set(words.split()) for name, words in ALWAYS.items()} == found


@pytest.mark.parametrize(("command", "option", "beside"), CASES, ids=[" ".join(each) for each in CASES])
def test_an_option_without_effect_is_refused(command, option, beside, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = f"{command} {BASE.get(command, '')} {option} {beside}".split()
    assert run_app(words) in (1, 2)
    said = capsys.readouterr()
    sentence = said.err.strip().splitlines()[-1]
    assert option.split()[0].strip("-") in sentence.replace("test sequences", "test"), sentence
    assert any(text in sentence for text in SAID) and "Traceback" not in said.err, sentence
    assert not list(tmp_path.iterdir())
