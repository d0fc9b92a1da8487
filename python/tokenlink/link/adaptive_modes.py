# SPDX-License-Identifier: GPL-3.0-or-later
"""The mode table of the adaptive system: every pair of a token budget and a compression ratio, with its header."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from tokenlink.files.settings import SettingError, read_settings, shipped_or
from tokenlink.link.token_ratios import POSITIONS, RATIOS, checked_ratio, symbols_per_token

SCHEMA_VERSION = 1
DEFAULT_TABLE = "adaptive_default.yaml"
MAX_MODES = 2**8  # what the header of a burst can say
#: symbols of a picture's header -> Es/N0 at which at most one in a hundred is lost, dB; a test measures them
HEADER_SENSITIVITY_DB = {140: 1.7, 200: -0.1, 280: -2.0, 420: -3.8, 560: -5.2, 840: -6.9, 1120: -8.2}
#: a header is read down to that much below the Es/N0 from which on its symbols are useful, dB
HEADER_MARGIN_DB = 3.0
FIELDS = {"alpha", "r", "useful_esn0_db"}


class AdaptiveTableError(SettingError):
    """A mode table of the adaptive system that cannot be used; the message names field, value and legal range."""

    what = "adaptive mode table"


_require = AdaptiveTableError.require


@dataclass(frozen=True)
class AdaptiveMode:
    """One pair (alpha, r).

    Attributes
    ----------
    mode_id : int              position in the table
    name : str                 alpha and r, such as "0.5/0.1"
    alpha, ratio : float       share of the tokens that may stay, and symbols of a token over its features
    useful_esn0_db : float     Es/N0 from which on the symbols are useful, dB
    header_symbols : int       the fewest that are read HEADER_MARGIN_DB below that
    """

    mode_id: int
    name: str
    alpha: float
    ratio: float
    useful_esn0_db: float
    header_symbols: int

    @property
    def symbols_per_token(self) -> int:
        return symbols_per_token(self.ratio)


@dataclass(frozen=True)
class AdaptiveTable:
    """All modes, those of the first alpha first.

    Attributes
    ----------
    alphas, ratios : tuple of float
    modes : tuple of AdaptiveMode
    provenance : str or dict   where useful_esn0_db comes from
    source : str               file it was read from
    """

    alphas: tuple[float, ...]
    ratios: tuple[float, ...]
    modes: tuple[AdaptiveMode, ...]
    provenance: str | dict = field(default="", compare=False)
    source: str = field(default="", compare=False)

    @property
    def n_tokens(self) -> int:
        """Positions of a picture that a token may be kept of; the class token not counted."""
        return POSITIONS

    def mode(self, mode_id: int) -> AdaptiveMode:
        """The mode of this id; AdaptiveTableError if there is none."""
        _require(0 <= mode_id < len(self.modes), "mode_id", mode_id, f"in 0..{len(self.modes) - 1}")
        return self.modes[mode_id]

    def mode_of(self, alpha: float, ratio: float) -> AdaptiveMode:
        """The mode of a pair; AdaptiveTableError names the one that is not in the table."""
        for name, value, known in (("alpha", alpha, self.alphas), ("r", ratio, self.ratios)):
            _require(value in known, name, value, f"one of {', '.join(map(str, known))}")
        return self.modes[self.alphas.index(alpha) * len(self.ratios) + self.ratios.index(ratio)]


def header_symbols(useful_esn0_db: float) -> int:
    """The shortest header that is read HEADER_MARGIN_DB below an Es/N0 in dB; AdaptiveTableError where none is."""
    for n_symbols, sensitivity_db in HEADER_SENSITIVITY_DB.items():
        if sensitivity_db <= useful_esn0_db - HEADER_MARGIN_DB:
            return n_symbols
    least = min(HEADER_SENSITIVITY_DB.values()) + HEADER_MARGIN_DB
    raise AdaptiveTableError.of("useful_esn0_db", useful_esn0_db, f"at least {least:.1f} dB, {HEADER_MARGIN_DB:.0f} dB "
                                "above what the longest header needs")  # fmt: skip


def load_adaptive_table(path: str | Path | None = None) -> AdaptiveTable:
    """Read and validate a table; without a path, the one that ships.

    Raises
    ------
    AdaptiveTableError   unreadable file, unknown or missing field, value out of range
    """
    at = shipped_or(path or Path(DEFAULT_TABLE).stem, "tokenlink.link")
    table = read_settings(at, parse_adaptive_table, AdaptiveTableError)
    return replace(table, source=str(path or DEFAULT_TABLE))


def parse_adaptive_table(raw: dict) -> AdaptiveTable:
    """AdaptiveTable of the plain values of a YAML file; AdaptiveTableError."""
    AdaptiveTableError.require_fields(raw, SCHEMA_VERSION, FIELDS, {"provenance"})
    alphas, ratios = (_shares(name, raw[name]) for name in ("alpha", "r"))
    for ratio in ratios:
        _require(ratio in RATIOS and ratio == checked_ratio(ratio), "r", ratio, f"among {', '.join(map(str, RATIOS))}")
    _require(len(alphas) * len(ratios) <= MAX_MODES, "alpha", f"{len(alphas)} long", f"{MAX_MODES} modes at most")
    useful, legal = raw["useful_esn0_db"], f"{len(alphas)} lists, one an alpha, of {len(ratios)} numbers, one an r"
    rows = isinstance(useful, list) and len(useful) == len(alphas)
    rows = rows and all(isinstance(row, list) and len(row) == len(ratios) for row in useful)
    _require(rows and all(type(value) in (int, float) for row in useful for value in row), "useful_esn0_db", useful,
             legal)  # fmt: skip
    pairs = [(alpha, ratio, float(value)) for alpha, row in zip(alphas, useful, strict=True)
             for ratio, value in zip(ratios, row, strict=True)]  # fmt: skip
    modes = tuple(AdaptiveMode(mode_id, f"{alpha:g}/{ratio:g}", alpha, ratio, value, header_symbols(value))
                  for mode_id, (alpha, ratio, value) in enumerate(pairs))  # fmt: skip
    return AdaptiveTable(alphas, ratios, modes, raw.get("provenance", ""))


def _shares(name, values):
    legal = "a list of different numbers in (0, 1]"
    good = isinstance(values, list) and values and all(type(each) in (int, float) and 0 < each <= 1 for each in values)
    _require(good and len(set(values)) == len(values), name, values, legal)
    return tuple(map(float, values))
