# SPDX-License-Identifier: GPL-3.0-or-later
"""The mode table: what each synchronisation mode sends per frame, read from YAML and validated."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np

from tokenlink.files.settings import SettingError, read_settings, shipped_or
from tokenlink.phy.nr_tables import LIFTING_SIZES, SHAPES
from tokenlink.phy.qam import BITS_PER_SYMBOL

SCHEMA_VERSION = 1
DEFAULT_TABLE = "twist_default.yaml"
MAX_VOCAB, MAX_SIDE, MAX_TOKENS = 2**15, 512, 2**16
MAX_BUDGET, MAX_MODES = 2**16 - 1, 2**8  # what the header of a burst can say
MAX_ITERATIONS = 1000
MAX_INFO_BITS = SHAPES[1][2] * LIFTING_SIZES[-1]
_RATE = re.compile(r"[0-9]{1,3}/[0-9]{1,3}|0?\.[0-9]{1,6}")


class ModeTableError(SettingError):
    """A mode table that cannot be used; the message names the field, the value and the legal range."""

    what = "mode table"


_require = ModeTableError.require


@dataclass(frozen=True)
class Mode:
    """One row of the table.

    Attributes
    ----------
    mode_id : int               position in the table
    name : str
    budget : int                payload channel uses per frame, B_m
    code_rates : tuple of Fraction [n_groups]
    thresholds : tuple of float [n_groups]   confidence below which a token is erased, in [0, 1]
    """

    mode_id: int
    name: str
    budget: int
    code_rates: tuple[Fraction, ...]
    thresholds: tuple[float, ...]

    def __hash__(self):  # of fractions it would take longer than what is looked up with it
        return hash((self.mode_id, self.name, self.budget))


@dataclass(frozen=True)
class ModeTable:
    """All modes of a link and what they share.

    Attributes
    ----------
    vocab_size, grid : int, (rows, cols)
    group_map : int64 [rows * cols]    group of each token position, 0 is protected best
    nominal_budget : int               B_0, payload channel uses
    modulation : str
    max_iterations : int               of the LDPC decoder
    llr_scale : dict Fraction -> float a-posteriori LLR multiplier of every code rate in use, at `max_iterations`
    modes : tuple of Mode
    codes_sha256 : str                 hash of the codebook whose tokens the groups are made for; empty: any codebook
    provenance : str or dict           where the table comes from
    source : str                       file it was read from
    """

    vocab_size: int
    grid: tuple[int, int]
    group_map: np.ndarray
    nominal_budget: int
    modulation: str
    max_iterations: int
    llr_scale: dict[Fraction, float]
    modes: tuple[Mode, ...]
    codes_sha256: str = ""
    provenance: str | dict = dataclasses.field(default="", compare=False)
    source: str = dataclasses.field(default="", compare=False)

    @property
    def n_tokens(self) -> int:
        return self.grid[0] * self.grid[1]

    @cached_property
    def n_groups(self) -> int:
        return int(self.group_map.max()) + 1

    @cached_property
    def group_positions(self) -> tuple[np.ndarray, ...]:
        """Token positions of each group in raster order, int64 arrays."""
        return tuple(np.flatnonzero(self.group_map == g) for g in range(self.n_groups))

    @cached_property
    def group_order(self) -> np.ndarray:
        """Token positions, groups one after the other, int64 [n_tokens]."""
        return np.concatenate(self.group_positions)

    @cached_property
    def raster_order(self) -> np.ndarray:
        """The inverse of `group_order`: where each token lies, groups one after the other, int64 [n_tokens]."""
        return np.argsort(self.group_order)

    @cached_property
    def group_map_sha256(self) -> str:
        """SHA-256 of grid and group map, as hexadecimal text; a controller file names the one it is made for."""
        return group_map_sha256(self.group_map, self.grid)

    def check_codebook(self, codes_sha256: str | None) -> None:
        """Refuse tokens of another codebook than the table's; one that is not known (None, empty) passes."""
        if codes_sha256 and self.codes_sha256 and codes_sha256 != self.codes_sha256:
            raise ModeTableError(
                f"mode table {self.source} is made for codebook {self.codes_sha256[:12]}, the tokenizer has codebook "
                f"{codes_sha256[:12]}: run ./twist prepare, or name another table")

    def mode(self, mode_id: int) -> Mode:
        """The mode of this id; raises ModeTableError if there is none."""
        _require(0 <= mode_id < len(self.modes), "mode_id", mode_id, f"in 0..{len(self.modes) - 1}")
        return self.modes[mode_id]

    def mode_named(self, name: str) -> Mode:
        """The mode of this name; raises ModeTableError if there is none."""
        for mode in self.modes:
            if mode.name == name:
                return mode
        raise ModeTableError(f"mode table: mode is {name!r}, must be one of {[m.name for m in self.modes]}")

    @cached_property
    def group_info_bits(self) -> tuple[int, ...]:
        """Information bits of every group's codeword, k_g = n_g * bits per token."""
        return tuple(len(positions) * max(1, (self.vocab_size - 1).bit_length()) for positions in self.group_positions)

    @cached_property
    def _known_uses(self) -> dict[Mode, tuple[int, ...]]:
        return {}

    def group_uses(self, mode: Mode) -> tuple[int, ...]:
        """Symbols that carry each group in a mode, ceil(k_g / (p * bits per symbol)); worked out once a mode."""
        if mode not in self._known_uses:
            width, groups = BITS_PER_SYMBOL[self.modulation], zip(self.group_info_bits, mode.code_rates, strict=True)
            self._known_uses[mode] = tuple(-(-Fraction(k) // (rate * width)) for k, rate in groups)
        return self._known_uses[mode]

    @cached_property
    def _known_scales(self) -> dict[Mode, tuple[np.float32, ...]]:
        return {}

    def group_scales(self, mode: Mode) -> tuple[np.float32, ...]:
        """`llr_scale` of each group in a mode; looked up once a mode."""
        if mode not in self._known_scales:
            self._known_scales[mode] = tuple(np.float32(self.llr_scale[rate]) for rate in mode.code_rates)
        return self._known_scales[mode]

    def channel_uses(self, mode: Mode, group: int) -> int:
        """Symbols that carry a group in a mode."""
        return self.group_uses(mode)[group]

    def total_channel_uses(self, mode: Mode) -> int:
        """Payload symbols of a frame in this mode."""
        return sum(self.group_uses(mode))

    def relative_cost(self, mode: Mode) -> float:
        """B_m / B_0, the cost of TWIST paper, eq. (49)."""
        return mode.budget / self.nominal_budget

    def token_thresholds(self, mode: Mode) -> np.ndarray:
        """Threshold of each token position, float32 [n_tokens]."""
        return np.asarray(mode.thresholds, np.float32)[self.group_map]


def load_mode_table(path: str | Path | None = None) -> ModeTable:
    """Read and validate a mode table; of a bare word such as "prior" the one that ships, of None the default.

    Raises
    ------
    ModeTableError   unreadable file, unknown or missing field, value out of range, profile over its budget
    """
    at = shipped_or(path or Path(DEFAULT_TABLE).stem, "tokenlink.link")
    table = read_settings(at, parse_mode_table, ModeTableError)
    return replace(table, source=str(path or DEFAULT_TABLE))


def group_map_sha256(group_map: np.ndarray, grid: tuple[int, int]) -> str:
    """SHA-256 of the group of each token position int [rows * cols] and the grid (rows, cols), hexadecimal text."""
    digest = hashlib.sha256(f"{grid[0]}x{grid[1]}:".encode())
    digest.update(np.asarray(group_map, np.uint8).tobytes())
    return digest.hexdigest()


def parse_mode_table(raw: dict) -> ModeTable:
    """Validate the plain values of a YAML mode table; raises ModeTableError."""
    needed = {"vocab_size", "grid", "group_map", "nominal_budget", "modulation", "max_iterations", "llr_scale", "modes"}
    ModeTableError.require_fields(raw, SCHEMA_VERSION, needed, {"provenance", "codebook"})
    ranges = {"vocab_size": (2, MAX_VOCAB), "nominal_budget": (1, MAX_BUDGET), "max_iterations": (1, MAX_ITERATIONS)}
    for field, (low, high) in ranges.items():
        value = raw[field]
        _require(type(value) is int and low <= value <= high, field, value, f"an integer in {low}..{high}")
    modulation = raw["modulation"]
    legal = f"one of {list(BITS_PER_SYMBOL)}"
    _require(isinstance(modulation, str) and modulation in BITS_PER_SYMBOL, "modulation", modulation, legal)
    grid = raw["grid"]
    sides = isinstance(grid, list) and len(grid) == 2 and all(type(v) is int and 0 < v <= MAX_SIDE for v in grid)
    _require(sides and grid[0] * grid[1] <= MAX_TOKENS, "grid", grid,
             f"rows and cols, two integers in 1..{MAX_SIDE} with a product of at most {MAX_TOKENS}")
    codebook = raw.get("codebook", "")
    _require(isinstance(codebook, str) and re.fullmatch("[0-9a-f]{64}|", codebook), "codebook", codebook,
             "the SHA-256 of a codebook, 64 hexadecimal digits, quoted")
    group_map = _parse_group_map(raw["group_map"], grid)
    scale = _parse_llr_scale(raw["llr_scale"], raw["max_iterations"])
    _require(isinstance(raw["modes"], list) and 1 <= len(raw["modes"]) <= MAX_MODES, "modes", raw["modes"],
             f"a list of 1 to {MAX_MODES} modes")
    modes = tuple(_parse_mode(i, row, int(group_map.max()) + 1) for i, row in enumerate(raw["modes"]))
    names = [mode.name for mode in modes]
    _require(len(set(names)) == len(names), "modes.name", names, "all different")
    table = ModeTable(raw["vocab_size"], (grid[0], grid[1]), group_map, raw["nominal_budget"], raw["modulation"],
                      raw["max_iterations"], scale, modes, codebook, raw.get("provenance", ""))
    for group, bits in enumerate(table.group_info_bits):
        _require(bits <= MAX_INFO_BITS, f"group_map: group {group}", f"{bits} bits of tokens",
                 f"at most {MAX_INFO_BITS}, the longest codeword's")
    for mode in modes:
        unscaled = sorted({str(rate) for rate in mode.code_rates if rate not in scale})
        _require(not unscaled, f"llr_scale[{table.max_iterations}]", f"without {', '.join(unscaled)}",
                 f"given for every code rate of mode {mode.name}")
        used = table.total_channel_uses(mode)
        _require(used <= mode.budget, f"modes[{mode.name}].code_rates", f"{used} channel uses",
                 f"within its budget of {mode.budget}")
    return table


def _parse_group_map(rows, grid) -> np.ndarray:
    """Rows of digits, one digit a token position."""
    shaped = isinstance(rows, list) and len(rows) == grid[0] and all(
        isinstance(row, str) and row.isascii() and row.isdigit() and len(row) == grid[1] for row in rows)
    _require(shaped, "group_map", rows, f"{grid[0]} strings of {grid[1]} digits, quoted")
    flat = np.array([int(digit) for row in rows for digit in row])
    _require(len(np.unique(flat)) == flat.max() + 1, "group_map", sorted(set(flat.tolist())),
             "groups numbered 0, 1, ... without a gap")
    return flat


def _parse_llr_scale(raw, max_iterations: int) -> dict[Fraction, float]:
    """The factors measured for this iteration limit."""
    _require(isinstance(raw, dict) and max_iterations in raw and isinstance(raw[max_iterations], dict), "llr_scale",
             raw, f"a mapping of iteration limits, {max_iterations} among them, to mappings of code rates to factors")
    scale = {parse_rate(rate, "llr_scale", ModeTableError): value for rate, value in raw[max_iterations].items()}
    for rate, value in scale.items():
        _require(_is_number(value) and 0 < value <= 4, f"llr_scale[{max_iterations}][{rate}]", value, "in (0, 4]")
    return scale


def _parse_mode(index: int, row: dict, n_groups: int) -> Mode:
    where = f"modes[{index}]"
    _require(isinstance(row, dict), where, row, "a mapping")
    fields = {"name", "budget", "code_rates", "thresholds"}
    _require(set(row) == fields, f"{where} fields", sorted(map(str, row)), str(sorted(fields)))
    _require(isinstance(row["name"], str) and row["name"], f"{where}.name", row["name"], "a name")
    _require(type(row["budget"]) is int and 0 < row["budget"] <= MAX_BUDGET, f"{where}.budget", row["budget"],
             f"an integer in 1..{MAX_BUDGET}")
    for field in ("code_rates", "thresholds"):
        _require(isinstance(row[field], list) and len(row[field]) == n_groups, f"{where}.{field}", row[field],
                 f"a list of {n_groups}, one a group")
    for value in row["thresholds"]:
        _require(_is_number(value) and 0 <= value <= 1, f"{where}.thresholds", value, "in [0, 1]")
    rates = tuple(parse_rate(rate, f"{where}.code_rates", ModeTableError) for rate in row["code_rates"])
    return Mode(index, row["name"], row["budget"], rates, tuple(float(v) for v in row["thresholds"]))


def parse_rate(value, field: str, error: type[SettingError]) -> Fraction:
    """Code rate in [1/5, 8/9] of a text or float; raises the error of a field for anything else."""
    text = str(value) if isinstance(value, str | float) else ""
    try:  # only what is short: an exponent would have the fraction worked out digit by digit
        rate = Fraction(text) if _RATE.fullmatch(text) else Fraction(0)
    except ZeroDivisionError:
        rate = Fraction(0)
    error.require(Fraction(1, 5) <= rate <= Fraction(8, 9), field, value, "a code rate such as 1/2, in [1/5, 8/9]")
    return rate


def _is_number(value) -> bool:
    return type(value) in (int, float)
