# SPDX-License-Identifier: GPL-3.0-or-later
"""The mode table of the adaptive system from the figures of trained weights: headers as long as symbols are useful."""

from __future__ import annotations

import numpy as np
import yaml

from tokenlink.control import ProxyError
from tokenlink.files.writing import write_text
from tokenlink.link.adaptive_modes import HEADER_MARGIN_DB, HEADER_SENSITIVITY_DB, SCHEMA_VERSION, load_adaptive_table

#: no header is read HEADER_MARGIN_DB below less than that
LEAST_DB = min(HEADER_SENSITIVITY_DB.values()) + HEADER_MARGIN_DB
HEADER = """\
# Modes of the adaptive system: every pair of a token budget alpha and a compression ratio r. Es/N0 from which on a mode
# has half of what it gains over chance, dB, a row for each alpha, a column for each r: it decides the header's length.
"""


def write_adaptive_table(path, metrics, provenance) -> None:
    """Write the mode table of trained weights.

    Parameters
    ----------
    path : Path
    metrics : dict             of the artifact: "proxy" with "alpha" and "r", and "useful_esn0_db" by alpha, then r
    provenance : dict or str   where they come from, plain values

    Raises
    ------
    ProxyError           metrics that lack one of these, or are none
    AdaptiveTableError   what was written cannot be read back

    Notes
    -----
    Rounded up to tenths. A mode that is useful below LEAST_DB gets LEAST_DB: the longest header is not more robust.
    """
    try:
        alphas, ratios = (list(metrics["proxy"][name]) for name in ("alpha", "r"))
        useful = np.array(metrics["useful_esn0_db"], float).reshape(len(alphas), len(ratios))
    except (KeyError, TypeError, ValueError) as error:
        raise ProxyError(f"metrics have no useful_esn0_db of every pair in proxy: {error!r}") from None
    tenths = np.ceil(np.maximum(useful, LEAST_DB) * 10 - 1e-6).astype(int)
    rows = [[tenth / 10 for tenth in row] for row in tenths.tolist()]
    content = {"schema": SCHEMA_VERSION, "provenance": provenance, "alpha": alphas, "r": ratios, "useful_esn0_db": rows}
    write_text(path, HEADER + yaml.safe_dump(content, sort_keys=False, width=118, default_flow_style=None))
    load_adaptive_table(path)
