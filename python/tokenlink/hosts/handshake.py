# SPDX-License-Identifier: GPL-3.0-or-later
"""What two hosts must agree on before a slot counts, as plain entries, and the differences by name."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, fields
from pathlib import Path

import tokenlink
from tokenlink.process.node import NodeError

# Where a host keeps its controller file says nothing; what it is made for has been checked against the mode table.
NOT_AGREED = ("source", "codes_sha256", "group_map_sha256")
PROTOCOL = 2  # 2: messages carry the token of the end they go to
MAX_ENTRIES, MAX_TEXT, MAX_NAMED = 400, 200, 4


class HandshakeRefused(NodeError):
    """The other host was set up differently; the message names the differences."""


def agreement(run, table, burst=None, profile=None, artifacts=None):
    """Everything both hosts must have alike.

    Parameters
    ----------
    run : RunConfig
    table : ModeTable
    burst : BurstConfig or None
    profile : Path or None      radio profile, by content
    artifacts : Path or None    folder of the weights; None: those that ship

    Returns
    -------
    dict of str -> str   names such as "mode_table.low.code_rates"; long values as SHA-256
    """
    entries = {
        "protocol": PROTOCOL,
        "tokenlink.version": tokenlink.__version__,
        "system": run.system,
        "group_map": _sha256(table.group_map.astype("<i8").tobytes()),
        **_table_entries(table),
        "controller.policy": run.policy,
        **{f"controller.{name}": value for name, value in asdict(run.control).items() if name not in NOT_AGREED},
        **_artifact_entries(artifacts or run.artifacts),
        "profile": _sha256(Path(profile).read_bytes()) if profile else "none",
    }
    if burst is not None:
        entries |= {f"burst.{entry.name}": getattr(burst, entry.name) for entry in fields(burst)}
    return {name: str(value)[:MAX_TEXT] for name, value in entries.items()}


def _table_entries(table):
    names = ("vocab_size", "grid", "nominal_budget", "modulation", "max_iterations")
    entries = {f"mode_table.{name}": getattr(table, name) for name in names}
    entries["mode_table.llr_scale"] = ", ".join(f"{rate}: {scale}" for rate, scale in sorted(table.llr_scale.items()))
    entries["mode_table.modes"] = ", ".join(mode.name for mode in table.modes)
    for mode in table.modes:
        entries[f"mode_table.{mode.name}.budget"] = mode.budget
        entries[f"mode_table.{mode.name}.code_rates"] = ", ".join(map(str, mode.code_rates))
        entries[f"mode_table.{mode.name}.thresholds"] = ", ".join(map(str, mode.thresholds))
    return entries


def _artifact_entries(root):
    """Hashes of the weights, and the mark of the codebook, which says what a token means."""
    from tokenlink.models import artifact

    root = root or artifact.DEFAULT_DIR
    weights = artifact.read_manifest(root)
    for name in weights:
        artifact.verify(name, root)  # what the manifest says is what both compare
    entries = {f"models.{name}": files.get("weights.safetensors", {}).get("sha256") for name, files in weights.items()}
    return entries | {"codebook": artifact.read_description("tokenizer", root).get("codes_sha256")}


def _sha256(raw):
    return hashlib.sha256(raw).hexdigest()


def check_entries(entries):
    """Whether what another host sent is such a dict, of bounded size."""
    return (
        isinstance(entries, dict)
        and len(entries) <= MAX_ENTRIES
        and all(isinstance(value, str) and len(value) <= MAX_TEXT and len(name) <= MAX_TEXT
                for name, value in entries.items())
    )  # fmt: skip


def differences(own, other, own_name, other_name):
    """Sentences about entries that are not alike: list of str, in the order of the names."""
    found = []
    for name in sorted(own.keys() | other.keys()):
        if own.get(name) != other.get(name):
            values = [_shown(entries.get(name)) for entries in (own, other)]
            found.append(f"{name} is {values[0]} at {own_name} and {values[1]} at {other_name}")
    return found


def _shown(value):
    if value is None:
        return "missing"
    is_hash = len(value) == 64 and not value.strip("0123456789abcdef")
    return value[:12] if is_hash else repr(value)


def refusal(found):
    """One sentence of the differences, the first ones by name."""
    more = f"; and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return f"the hosts do not agree: {'; '.join(found[:MAX_NAMED])}{more}"
