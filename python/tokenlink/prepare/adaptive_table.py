# SPDX-License-Identifier: GPL-3.0-or-later
"""The mode table of the adaptive system from measured accuracies: from which Es/N0 on a mode's symbols are useful."""

from __future__ import annotations

import numpy as np
import yaml

from tokenlink.control.proxy_table import ProxyTable
from tokenlink.files.writing import write_text
from tokenlink.link.adaptive_modes import HEADER_MARGIN_DB, HEADER_SENSITIVITY_DB, SCHEMA_VERSION, load_adaptive_table

CHANCE = 0.1
#: no header is read below that, with its margin
LEAST_DB = min(HEADER_SENSITIVITY_DB.values()) + HEADER_MARGIN_DB
HEADER = """\
# Modes of the adaptive system: every pair of a token budget alpha and a compression ratio r. Es/N0 from which on a mode
# has half of what it gains over chance, dB, a row for each alpha, a column for each r: it decides the header's length.
"""


def useful_esn0_db(proxy: ProxyTable, chance: float = CHANCE) -> np.ndarray:
    """Es/N0 from which on a mode has gained half of what it gains at best over chance, dB.

    Parameters
    ----------
    proxy : ProxyTable
    chance : float   accuracy of who guesses, in [0, 1)

    Returns
    -------
    float64 [n_modes]   linear between the measured points; that of the lowest point where it is enough; infinite where
                        a mode never does better than chance
    """
    found = np.full(proxy.n_modes, np.inf)
    for mode_id, accuracy in enumerate(np.maximum.accumulate(proxy.accuracy, axis=1)):
        if accuracy[-1] > chance:
            half = (chance + accuracy[-1]) / 2
            right = int(np.argmax(accuracy >= half))
            left = max(right - 1, 0)
            found[mode_id] = np.interp(half, accuracy[left : right + 1], proxy.esn0_db[left : right + 1])
    return found


def write_adaptive_table(path, proxy: ProxyTable, provenance, chance: float = CHANCE) -> None:
    """Write the mode table of the pairs of a proxy, headers as long as their symbols are useful for.

    Parameters
    ----------
    path : Path
    proxy : ProxyTable
    provenance : dict or str   where the accuracies come from, plain values
    chance : float             as of `useful_esn0_db`

    Raises
    ------
    AdaptiveTableError   what was written cannot be read back

    Notes
    -----
    Below LEAST_DB the longest header is not read 3 dB below what is useful; such modes get LEAST_DB. A mode that never
    does better than chance gets the highest Es/N0 of the proxy.
    """
    useful = np.clip(useful_esn0_db(proxy, chance), LEAST_DB, proxy.esn0_db[-1])
    tenths = np.ceil(useful * 10 - 1e-6).reshape(len(proxy.alphas), -1).astype(int)
    rows = [[tenth / 10 for tenth in row] for row in tenths.tolist()]
    content = {"schema": SCHEMA_VERSION, "provenance": provenance, "alpha": list(proxy.alphas), "r": list(proxy.ratios),
               "useful_esn0_db": rows}  # fmt: skip
    write_text(path, HEADER + yaml.safe_dump(content, sort_keys=False, width=118, default_flow_style=None))
    load_adaptive_table(path)
