# SPDX-License-Identifier: GPL-3.0-or-later
"""The mode table of TokCode: into how many packets a sequence goes, and modulation and code of each packet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from tokenlink.files.settings import SettingError, read_settings, shipped_or
from tokenlink.link.modes import parse_rate
from tokenlink.phy.qam import BITS_PER_SYMBOL
from tokenlink.phy.token_bits import bits_per_token

SCHEMA_VERSION = 2
DEFAULT_TABLE = "tokcode_default"
MAX_MODES, MAX_PACKETS, MAX_VOCAB = 2**8, 32, 2**18
MAX_TOKENS = 255  # of a sequence: what its packets can say
MODE_FIELDS = {"name", "modulation", "code_rate", "from_esn0_db"}
ESN0_DB = (-30.0, 60.0)  # that a mode can begin at


class TokcodeTableError(SettingError):
    """A mode table of TokCode that cannot be used; the message names field, value and legal range."""

    what = "TokCode mode table"


_require = TokcodeTableError.require


@dataclass(frozen=True)
class TokcodeMode:
    """How packets are sent: ``mode_id``, position in the table; ``modulation``; ``code_rate``, in [1/5, 8/9];
    ``from_esn0_db``, mean Es/N0 from which the policy by-snr takes it, dB."""

    mode_id: int
    name: str
    modulation: str
    code_rate: Fraction
    from_esn0_db: float


@dataclass(frozen=True)
class TokcodeTable:
    """All modes, and what they share.

    Attributes
    ----------
    vocab_size : int    tokens of the vocabulary
    n_packets : int     P, packets of a sequence
    modes : tuple of TokcodeMode
    source : str        file it was read from
    """

    vocab_size: int
    n_packets: int
    modes: tuple[TokcodeMode, ...]
    source: str = field(default="", compare=False)

    @property
    def n_tokens(self) -> int:
        """The most tokens that a sequence may have."""
        return MAX_TOKENS

    @property
    def token_bits(self) -> int:
        """Bits of a token in a packet."""
        return bits_per_token(self.vocab_size)

    def mode(self, mode_id: int) -> TokcodeMode:
        """The mode of this id; TokcodeTableError if there is none."""
        _require(0 <= mode_id < len(self.modes), "mode_id", mode_id, f"in 0..{len(self.modes) - 1}")
        return self.modes[mode_id]


def load_tokcode_table(path: str | Path | None = None) -> TokcodeTable:
    """Read and validate a table; of a bare word the one of that name that ships, of None the default.

    Raises
    ------
    TokcodeTableError   unreadable file, unknown or missing field, value out of range
    """
    at = shipped_or(path or DEFAULT_TABLE, "tokenlink.link")
    table = read_settings(at, parse_tokcode_table, TokcodeTableError)
    return replace(table, source=str(path or f"{DEFAULT_TABLE}.yaml"))


def parse_tokcode_table(raw: dict) -> TokcodeTable:
    """TokcodeTable of the plain values of a YAML file; TokcodeTableError."""
    TokcodeTableError.require_fields(raw, SCHEMA_VERSION, {"vocab_size", "n_packets", "modes"}, {"provenance"})
    for name, low, high in (("vocab_size", 2, MAX_VOCAB), ("n_packets", 1, MAX_PACKETS)):
        value = raw[name]
        _require(type(value) is int and low <= value <= high, name, value, f"an integer in {low}..{high}")
    rows = raw["modes"]
    _require(isinstance(rows, list) and 1 <= len(rows) <= MAX_MODES, "modes", rows, f"a list of 1 to {MAX_MODES} modes")
    modes = tuple(_parse_mode(index, row) for index, row in enumerate(rows))
    names = [mode.name for mode in modes]
    _require(len(set(names)) == len(names), "modes.name", names, "all different")
    return TokcodeTable(raw["vocab_size"], raw["n_packets"], modes)


def _parse_mode(index, row):
    where = f"modes[{index}]"
    _require(isinstance(row, dict), where, row, "a mapping")
    _require(set(row) == MODE_FIELDS, f"{where} fields", sorted(map(str, row)), str(sorted(MODE_FIELDS)))
    name, modulation = row["name"], row["modulation"]
    _require(isinstance(name, str) and name, f"{where}.name", name, "a name")
    known = isinstance(modulation, str) and modulation in BITS_PER_SYMBOL
    _require(known, f"{where}.modulation", modulation, f"one of {list(BITS_PER_SYMBOL)}")
    rate, begin, (low, high) = row["code_rate"], row["from_esn0_db"], ESN0_DB
    usable = type(begin) in (int, float) and low <= begin <= high
    _require(usable, f"{where}.from_esn0_db", begin, f"a number in [{low:g}, {high:g}]")
    return TokcodeMode(index, name, modulation, parse_rate(rate, f"{where}.code_rate", TokcodeTableError), float(begin))
