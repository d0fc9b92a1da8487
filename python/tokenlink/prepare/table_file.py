# SPDX-License-Identifier: GPL-3.0-or-later
"""The mode table as YAML that a person can read and `load_mode_table` loads."""

import os
from pathlib import Path

import yaml

from tokenlink.files.writing import naming
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
    table : dict        fields of the YAML file, as `link.modes.parse_mode_table` takes them
    provenance : dict   plain values

    Raises
    ------
    ModeTableError   what was written would not be read back; no file is left then
    """
    begin = {"schema": table["schema"], "provenance": provenance}
    text = HEADER + yaml.safe_dump(begin, sort_keys=False, width=118, default_flow_style=None)
    text += f'codebook: "{table["codebook"]}"\n'
    for name in ("vocab_size", "grid", "nominal_budget", "modulation", "max_iterations"):
        text += f"{name}: {table[name]}\n"
    text += "# Multipliers of the decoder's a-posteriori LLRs, per iteration limit and code rate.\nllr_scale:\n"
    for limit, scales in table["llr_scale"].items():
        text += f"  {limit}: {_flow({rate: f'{scale:.3f}' for rate, scale in scales.items()})}\n"
    text += "group_map:\n" + "".join(f'  - "{row}"\n' for row in table["group_map"]) + "modes:\n"
    for mode in table["modes"]:
        lists = {name: f"[{', '.join(map(str, mode[name]))}]" for name in ("code_rates", "thresholds")}
        text += f"  - {_flow({'name': mode['name'], 'budget': mode['budget']} | lists)}\n"
    temporary = Path(path).with_name(f"{Path(path).name}.{os.getpid()}.part")
    try:
        with naming(path):
            temporary.write_text(text)
        load_mode_table(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _flow(mapping):
    return "{" + ", ".join(f"{key}: {value}" for key, value in mapping.items()) + "}"
