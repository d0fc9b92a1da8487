# SPDX-License-Identifier: GPL-3.0-or-later
"""What two hosts must agree on before a slot counts, as plain entries, and the differences by name."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, fields
from pathlib import Path

import tokenlink
from tokenlink.models import artifact_files as artifact
from tokenlink.process.node import NodeError
from tokenlink.systems import system_named

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
    table : ModeTable        or that of another system
    burst : BurstConfig or None
    profile : Path or None      radio profile, by content
    artifacts : Path or None    folder of the weights; None: those that ship

    Returns
    -------
    dict of str -> str   names such as "mode_table.low.code_rates"; long values as SHA-256
    """
    system, artifacts = system_named(run.system), artifacts or run.artifacts
    policy = system.loop.policy(run.policy, run.control, table, artifacts)
    entries = {
        "protocol": PROTOCOL,
        "tokenlink.version": tokenlink.__version__,
        "system": run.system,
        **{f"mode_table.{name}": value for name, value in system.payload.agreed(table).items()},
        "controller.policy": run.policy,
        "controller.fallback_mode": policy.fallback_mode,  # no setting where it comes from what training measured
        **{f"controller.{name}": value for name, value in asdict(run.control).items() if name not in NOT_AGREED},
        **_artifact_entries(system.models, artifacts),
        "profile": _sha256(Path(profile).read_bytes()) if profile else "none",
    }
    if burst is not None:
        entries |= {f"burst.{entry.name}": getattr(burst, entry.name) for entry in fields(burst)}
    return {name: str(value)[:MAX_TEXT] for name, value in entries.items()}


def _artifact_entries(models, root):
    """Hashes of a system's weights, and the mark of the codebook, which says what a token means, where it has one."""
    root = root or artifact.DEFAULT_DIR
    manifest, entries = artifact.read_manifest(root), {}
    for name in models.names + tuple(name for name in models.foretelling if name in manifest):
        artifact.verify(name, root)  # what the manifest says is what both compare
        entries[f"models.{name}"] = manifest[name]["weights.safetensors"]["sha256"]
        if codebook := artifact.read_description(name, root).get("codes_sha256"):
            entries["codebook"] = codebook
    return entries


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
    """Sentences about entries that are not alike: list of str, in the order of the names; of two systems that one."""
    found, names = [], sorted(own.keys() | other.keys())
    if len({entries.get("system") for entries in (own, other)} - {None}) == 2:
        names = ["system"]  # all else differs for that
    for name in names:
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
