# SPDX-License-Identifier: GPL-3.0-or-later
"""The mode table as YAML that a person can read and `load_mode_table` loads."""

import os
from pathlib import Path

import yaml

from tokenlink.link.modes import load_mode_table

HEADER = """\
# Mode table made by ./twist prepare, see docs/prepare.md: groups by utility (group 0 matters most), code rates by exact
# search within each budget, thresholds after transmission, gate and completion on validation data.
"""


def write_mode_table(path, table, provenance):
    """Write a mode table.

    Parameters
    ----------
    path : Path
    table : dict        fields of the YAML file; code rates as text such as "1/2", `group_map` int [n_tokens] as a list,
                        `modes` a list of dict
    provenance : dict   plain values

    Raises
    ------
    ModeTableError   what was written would not be read back; no file is left then
    """
    rows, cols = table["grid"]
    begin = {"schema": 1, "provenance": provenance}
    text = HEADER + yaml.safe_dump(begin, sort_keys=False, width=118, default_flow_style=None)
    if table.get("codebook"):
        text += f'codebook: "{table["codebook"]}"\n'
    for name in ("vocab_size", "grid", "nominal_budget", "modulation", "max_iterations"):
        text += f"{name}: {table[name]}\n"
    text += "# Multipliers of the decoder's a-posteriori LLRs, per iteration limit and code rate.\nllr_scale:\n"
    for limit, scales in table["llr_scale"].items():
        text += f"  {limit}: {_flow({rate: f'{scale:.3f}' for rate, scale in scales.items()})}\n"
    text += "group_map:\n"
    for row in range(rows):
        text += f'  - "{"".join(str(g) for g in table["group_map"][row * cols : (row + 1) * cols])}"\n'
    text += "modes:\n"
    for mode in table["modes"]:
        rates, thresholds = ", ".join(mode["code_rates"]), ", ".join(f"{tau:g}" for tau in mode["thresholds"])
        text += f"  - {{name: {mode['name']}, budget: {mode['budget']}, code_rates: [{rates}], "
        text += f"thresholds: [{thresholds}]}}\n"
    temporary = Path(path).with_name(f"{Path(path).name}.{os.getpid()}.part")
    temporary.write_text(text)
    try:
        load_mode_table(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _flow(mapping):
    return "{" + ", ".join(f"{key}: {value}" for key, value in mapping.items()) + "}"
