# SPDX-License-Identifier: GPL-3.0-or-later
"""20,000 spoiled files of settings of every kind: each is read, or refused by one error, soon."""

import signal

import numpy as np
import pytest

from tokenlink.control import ControlConfig, load_controller
from tokenlink.control.files import shipped_controller
from tokenlink.files.settings import MAX_MESSAGE, SettingError
from tokenlink.link.modes import ModeTable, load_mode_table
from tokenlink.radio.calibrate import read_gain
from tokenlink.radio.profiles import PROFILES, RadioProfile, parse_profile, read_profile

SEED, MUTANTS, LIMIT_S = 10, 20_000, 5.0
TABLE = """
schema: 1
codebook: "b6580346272bca03fe73fb32a426e3c77cd4bdca49fb8d972201ae44c7b9a22f"
vocab_size: 1024
grid: [2, 4]
nominal_budget: 40
modulation: 16qam
max_iterations: 5
llr_scale: {5: {1/2: 0.9, 2/3: 0.9}}
group_map: ["0011", "0011"]
modes: [{name: low, budget: 40, code_rates: [1/2, 2/3], thresholds: [0.8, 0.9]}]
"""
CALIBRATION = "schema: 1\nprofile: profile\nsamp_rate: 1000000.0\nrecommended: {tx_gain_db: 10.0, rx_gain_db: 20.0}\n"
RADIO = parse_profile({"kind": "virtual", "samp_rate": 1e6})
READERS = {
    "table": (TABLE, load_mode_table, ModeTable),
    "controller": (shipped_controller("by_hand.yaml").read_text(), load_controller, ControlConfig),
    "virtual": ((PROFILES / "virtual.yaml").read_text(), read_profile, RadioProfile),
    "uhd": ((PROFILES / "b210.yaml").read_text(), read_profile, RadioProfile),
    "calibration": (CALIBRATION, lambda path: read_gain(path, RADIO, "tx"), float),
}
LEVELS = zip("abcdefg", "bcdefgh", strict=True)
BOMB = "[&a [x,x,x,x,x], " + ", ".join(f"&{b} [{','.join([f'*{a}'] * 5)}]" for a, b in LEVELS) + "]"
NASTY = [
    BOMB,
    "1e999999999", "1e400", "-1e999999999", "1/0", "0/1", "9" * 30, "9" * 5000, "-" + "9" * 18, "0x" + "f" * 70,
    "1_0", "1:2:3", "190:20:30:40:50:60:10:20:30:40:50:1", ".inf", "-.inf", ".nan", "-0.0", "1e-400", "0", "-1",
    "2024-01-01", "2001-99-99", "2001-01-01 25:00:00", "true", "no", "~", "''", "x" * 3000, "\u00b2", "\U0001f4fb",
    "[]", "{}", "[1]", "{a: 1}", "[" * 200, "[" * 20 + "1" + "]" * 20, "{a: " * 30, "&a [*a]", "&a {<<: *a}", "*b",
    "!!python/object/apply:os.system ['true']", "!!binary aGk=", "!!set {a}", "!!omap [a: 1]", "!!int x", "!!int ''",
    "!!float x", "!!bool x", "!!timestamp x", "!!str 1", "!x 1", "=", "? [a] : 1", "%YAML 9.9", "\x00", "\t", "|\n  a",
]  # fmt: skip
MARKS = list("{}[]:,-#&*!|>'\"%@`?\n \t0123456789.eax~") + ["\n- ", ": ", "---\n", "\n  ", "<<: "]


def spoilt(text, rng):
    """A text with one to three mistakes in it."""
    for _ in range(rng.integers(1, 4)):
        kind, at = rng.integers(6), int(rng.integers(len(text) + 1))
        if kind <= 2:  # a value, or a word of one
            words = [found for found in text.replace(",", " ").replace("]", " ").replace("}", " ").split() if found]
            word = words[rng.integers(len(words))] if words else ""
            text = text.replace(word, NASTY[rng.integers(len(NASTY))], 1)
        elif kind == 3:
            text = text[:at] + MARKS[rng.integers(len(MARKS))] + text[at:]
        elif kind == 4:
            text = text[:at] + text[at + int(rng.integers(1, 30)) :]
        else:  # a line twice, or somewhere else
            lines = text.split("\n")
            lines.insert(rng.integers(len(lines) + 1), lines[rng.integers(len(lines))])
            text = "\n".join(lines)
    return text


def test_a_spoiled_file_is_read_or_refused_by_one_error_that_names_it(tmp_path):
    def too_long(*_):
        pytest.fail(f"no answer within {LIMIT_S} s: {path.read_bytes()[:500]!r}")

    rng, path, outcomes = np.random.default_rng(SEED), tmp_path / "mine.yaml", {"read": 0, "refused": 0}
    before = signal.signal(signal.SIGVTALRM, too_long)  # the time of this process: others may use the machine
    file = open(path, "wb", buffering=0)  # one file for all: to make one anew takes longer than to read it
    try:
        for number in range(MUTANTS):
            text, read, made = list(READERS.values())[number % len(READERS)]
            raw = spoilt(text, rng).encode()
            if rng.random() < 0.02:  # bytes that are no text
                raw = raw[: len(raw) // 2] + rng.bytes(3) + raw[len(raw) // 2 :]
            file.seek(0)
            file.write(raw)
            file.truncate()
            signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT_S)
            try:
                assert isinstance(read(str(path)), made)
                outcomes["read"] += 1
            except SettingError as error:
                assert "mine.yaml" in str(error) and error.file == str(path), raw
                assert len(str(error)) <= MAX_MESSAGE + 3 and "\n" not in str(error), raw
                outcomes["refused"] += 1
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        file.close()
    assert min(outcomes.values()) > MUTANTS // 50, outcomes


def test_each_file_is_read_before_it_is_spoilt(tmp_path):
    for name, (text, read, made) in READERS.items():
        path = tmp_path / f"{name}.yaml"
        path.write_text(text)
        assert isinstance(read(str(path)), made)
