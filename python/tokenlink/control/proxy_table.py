# SPDX-License-Identifier: GPL-3.0-or-later
"""The accuracy proxy of the adaptive system: which accuracy each mode has at which Es/N0, as measured after training.

A mode is a pair gamma of a token budget alpha and a compression ratio r. Paper "Adaptive semantic token communication",
section V: Lambda(gamma, SNR).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from tokenlink.files.json_file import read_json
from tokenlink.files.settings import SettingError

LARGEST = {"alpha": 64, "r": 16, "snr_db": 256}
MAX_MODES = 256  # what the header of a burst can name
FIELDS = ("alpha", "r", "snr_db", "accuracy", "n_tokens")


class ProxyError(SettingError):
    """A proxy table that cannot be used; the message names the field, the value and the legal range."""

    what = "proxy table"


_require = ProxyError.require


@dataclass(frozen=True, eq=False)
class ProxyTable:
    """Accuracy and channel uses of every mode; mode_id counts the ratios of the first budget, then those of the next.

    Parameters
    ----------
    alphas : tuple of float               token budgets, in (0, 1]
    ratios : tuple of float               compression ratios r, in (0, 1]
    esn0_db : float64 [n_snr]             where accuracy was measured, dB, rising
    accuracy : float64 [n_modes, n_snr]   mean over pictures, in [0, 1]; n_modes = len(alphas) len(ratios)
    bandwidth_ratio : float64 [n_modes]   rho, mean complex symbols of a picture over its source values, > 0
    source : str                          file it was read from

    Raises
    ------
    ProxyError   a value outside its range, or arrays whose shapes do not fit
    """

    alphas: tuple[float, ...]
    ratios: tuple[float, ...]
    esn0_db: np.ndarray
    accuracy: np.ndarray
    bandwidth_ratio: np.ndarray
    source: str = field(default="")

    def __post_init__(self):
        for name, values in (("alpha", self.alphas), ("r", self.ratios)):
            legal = f"1 to {LARGEST[name]} different numbers in (0, 1]"
            good = 1 <= len(set(values)) == len(values) <= LARGEST[name] and all(0 < value <= 1 for value in values)
            _require(good, name, list(values), legal)
        _require(self.n_modes <= MAX_MODES, "pairs of alpha and r", self.n_modes, f"{MAX_MODES} at most")
        for name, shape in (("esn0_db", np.shape(self.esn0_db)[:1]), ("bandwidth_ratio", (self.n_modes,)),
                            ("accuracy", (self.n_modes, *np.shape(self.esn0_db)[:1]))):  # fmt: skip
            array = np.array(getattr(self, name), float)
            _require(array.shape == shape and array.size, f"shape of {name}", array.shape, shape)
            _within(name, array, np.isfinite(array), "finite")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        _require((np.diff(self.esn0_db) > 0).all(), "snr_db", self.esn0_db.tolist(), "rising")
        _within("accuracy", self.accuracy, (0 <= self.accuracy) & (self.accuracy <= 1), "in [0, 1]")
        _within("bandwidth_ratio", self.bandwidth_ratio, self.bandwidth_ratio > 0, "> 0")

    @property
    def n_modes(self) -> int:
        return len(self.alphas) * len(self.ratios)

    @cached_property
    def by_cost(self) -> np.ndarray:
        """mode_ids, the cheapest first; of equal ones the first: int64 [n_modes]."""
        return np.argsort(self.bandwidth_ratio, kind="stable")

    def mode_id(self, alpha: float, r: float) -> int:
        """mode_id of a pair (alpha, r); ProxyError names the one that is not in the table."""
        for name, value, known in (("alpha", alpha, self.alphas), ("r", r, self.ratios)):
            _require(value in known, name, value, f"one of {', '.join(map(str, known))}")
        return self.alphas.index(alpha) * len(self.ratios) + self.ratios.index(r)

    def pair(self, mode_id: int) -> tuple[float, float]:
        """(alpha, r) of a mode_id; ProxyError for none."""
        _require(0 <= mode_id < self.n_modes, "mode_id", mode_id, f"in 0..{self.n_modes - 1}")
        return self.alphas[mode_id // len(self.ratios)], self.ratios[mode_id % len(self.ratios)]

    def accuracy_at(self, esn0_db) -> np.ndarray:
        """Expected accuracy of all modes.

        Parameters
        ----------
        esn0_db : float or float [...]   received Es/N0, dB; not NaN

        Returns
        -------
        float64 [..., n_modes]   linear in dB between measured points, beyond them as at the nearest one
        """
        if self.esn0_db.size == 1:
            return np.broadcast_to(self.accuracy[:, 0], (*np.shape(esn0_db), self.n_modes))
        if isinstance(esn0_db, float):  # one slot after the other: arrays of one number cost more than the rest
            left = bisect_right(self._points, esn0_db, 1, len(self._points) - 1) - 1
            share = (esn0_db - self._points[left]) / (self._points[left + 1] - self._points[left])
            share = min(max(share, 0.0), 1.0)
        else:
            esn0_db = np.asarray(esn0_db, float)
            left = self.esn0_db[1:-1].searchsorted(esn0_db, side="right")
            share = (esn0_db - self.esn0_db[left]) / (self.esn0_db[left + 1] - self.esn0_db[left])
            share = np.minimum(np.maximum(share, 0.0), 1.0)[..., None]
        return self._by_snr[left] * (1 - share) + self._by_snr[left + 1] * share

    @cached_property
    def _by_snr(self) -> np.ndarray:
        return np.ascontiguousarray(self.accuracy.T)

    @cached_property
    def _points(self) -> list[float]:
        return self.esn0_db.tolist()


def _within(name, values, good, legal):
    bad = values[~good]
    _require(not bad.size, name, float(bad[0]) if bad.size else "", legal)


def parse_proxy(raw, symbols_per_token, source_values, source=""):
    """ProxyTable of plain values, as training writes them.

    Parameters
    ----------
    raw : dict              "alpha", "r" and "snr_db", lists of numbers; "accuracy", by alpha, then r, then snr_db;
                            "n_tokens", mean tokens sent of a picture, by alpha
    symbols_per_token : (r) -> int   o, complex symbols of a token at a ratio
    source_values : int     real values of a picture, what rho counts by
    source : str            file it was read from

    Raises
    ------
    ProxyError   a field that is missing, or holds something else
    """
    _require(isinstance(raw, dict), "proxy", raw, "a mapping")
    missing = sorted(set(FIELDS) - set(raw))
    _require(not missing, "missing fields of proxy", missing, "there")
    values = {name: _numbers(name, raw[name]) for name in FIELDS}
    alphas, ratios = values["alpha"], values["r"]
    for name, shape in (("accuracy", (alphas.size, ratios.size, values["snr_db"].size)), ("n_tokens", alphas.shape)):
        _require(values[name].shape == shape, f"shape of {name}", values[name].shape, shape)
    uses = np.outer(values["n_tokens"], [symbols_per_token(float(r)) for r in ratios]).reshape(-1)
    accuracy = values["accuracy"].reshape(uses.size, -1)
    return ProxyTable(tuple(map(float, alphas)), tuple(map(float, ratios)), values["snr_db"], accuracy,
                      uses / source_values, source)  # fmt: skip


def _numbers(name, value):
    """Array of a list, or of lists of lists, of plain numbers."""
    try:
        array = np.array(value)
    except ValueError:  # rows of different lengths
        array = np.array(None)
    _require(array.ndim >= 1 and array.size and array.dtype.kind in "if", name, value, "numbers, in rows of one length")
    return array.astype(float)


def load_proxy(path, symbols_per_token, source_values):
    """Read the key "proxy" of a JSON file, such as the metrics beside trained weights; arguments as of `parse_proxy`.

    Raises
    ------
    ProxyError   no such file, no JSON, or no proxy table in it; the message names the file
    """
    try:
        content = read_json(path)
        _require("proxy" in content, "missing field", "proxy", "there")
        return parse_proxy(content["proxy"], symbols_per_token, source_values, str(path))
    except (OSError, ValueError) as error:
        raise ProxyError.in_file(error, path) from None
