# SPDX-License-Identifier: GPL-3.0-or-later
"""Radio profiles: YAML files of ``hardware/profiles`` or yours, read by one loader and checked field by field."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field, fields
from pathlib import Path

from tokenlink.channel.impairments import ImpairmentProfile, load_profile
from tokenlink.files.places import shipped
from tokenlink.files.settings import read_settings
from tokenlink.phy.frame import BurstConfig
from tokenlink.phy.pulse import Pulse
from tokenlink.radio.families import FAMILIES, ProfileError
from tokenlink.radio.profile_sections import FileRadio, Front, Limits, Soapy, Timing, Uhd, Virtual, VirtualLink

PROFILES = shipped("hardware", "profiles")
KINDS = ("virtual", "uhd", "soapy", "file")
MAX_LINKS, MAX_TEXT = 64, 500
_require = ProfileError.require


@dataclass(frozen=True)
class RadioProfile:
    """A radio and all it is set to.

    Attributes
    ----------
    name, description : str
    kind : str            one of KINDS; the section of that name holds
    samp_rate : float     sample/s
    burst : BurstConfig   what transmitter and receiver agree on
    timing : Timing
    limits : Limits
    uhd, soapy, virtual, file : Uhd, Soapy, Virtual, FileRadio, or None when of another kind
    folder : Path         where the file lies
    """

    name: str
    kind: str
    samp_rate: float
    description: str = ""
    burst: BurstConfig = field(default_factory=BurstConfig)
    timing: Timing = field(default_factory=Timing)
    limits: Limits = field(default_factory=Limits)
    uhd: Uhd | None = None
    soapy: Soapy | None = None
    virtual: Virtual | None = None
    file: FileRadio | None = None
    folder: Path = PROFILES

    @property
    def is_device(self):
        """Whether it is a device, whose time goes on by itself."""
        return self.kind in ("uhd", "soapy")

    @property
    def address(self):
        """Where the radio's process serves samples."""
        return getattr(self, self.kind).address

    def impairments(self, link):
        """ImpairmentProfile of a link of the virtual radio."""
        return load_profile({**self.virtual.links[link].impairments, "samp_rate": self.samp_rate})


def profile_path(name):
    """File of a profile: a path to a YAML file, or a name in hardware/profiles; ProfileError if there is none."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise ProfileError(f"there is no profile file {path}")
        return path
    path = PROFILES / f"{name}.yaml"
    if not path.is_file():
        names = ", ".join(sorted(each.stem for each in PROFILES.glob("*.yaml")))
        raise ProfileError(f"profile is {str(name)!r}, must be a .yaml file or one of {names}")
    return path


def read_profile(name):
    """RadioProfile of a file or a name, see profile_path; raises ProfileError."""
    path = profile_path(name)
    return read_settings(path, lambda raw: parse_profile(raw, path.stem, path.parent), ProfileError)


def parse_profile(raw, name="profile", folder=PROFILES):
    """RadioProfile of the plain values of a YAML file; raises ProfileError."""
    _require(isinstance(raw, dict), "document", raw, "a mapping")
    kind = raw.get("kind")
    _require(isinstance(kind, str) and kind in KINDS, "kind", kind, f"one of {', '.join(KINDS)}")
    _no_others(raw, {"kind", "description", "samp_rate", "burst", "timing", "limits", kind}, "")
    rate = _check("samp_rate", raw.get("samp_rate"), float, {"low": 1e3, "high": 250e6, "unit": "sample/s"})
    section = {"virtual": Virtual, "uhd": Uhd, "soapy": Soapy, "file": FileRadio}[kind]
    profile = RadioProfile(
        name, kind, rate, _check("description", raw.get("description", ""), str, {}), _burst(raw.get("burst")),
        _build(Timing, raw.get("timing"), "timing"), _build(Limits, raw.get("limits"), "limits"),
        folder=Path(folder), **{kind: _build(section, raw.get(kind), kind)},
    )  # fmt: skip
    if kind == "uhd":
        FAMILIES[profile.uhd.family].check(profile)
    return profile


def _burst(raw):
    raw = dict(_mapping(raw, "burst"))
    pulse = {key: raw.pop(key) for key in ("sps", "rolloff", "span") if key in raw}
    _no_others(raw, {entry.name for entry in fields(BurstConfig)} - {"pulse"}, "burst.", (*pulse,))
    try:
        return BurstConfig(pulse=Pulse(**pulse), **raw)
    except (ValueError, TypeError) as error:
        raise ProfileError(f"burst: {error}", "burst") from None


def _build(section, raw, where):
    """Dataclass of a mapping: every field of its type and in its range."""
    raw = _mapping(raw, where)
    known = {entry.name: entry for entry in fields(section)}
    _no_others(raw, known, f"{where}.")
    values = {}
    for name, value in raw.items():
        entry, at = known[name], f"{where}.{name}"
        if name == "links":
            values[name] = _links(value, at)
        elif name in ("tx", "rx"):
            values[name] = _build(Front, value, at)
        elif name == "impairments":
            values[name] = _impairments(value, at)
        else:
            kind = {"float": float, "int": int, "str": str, "bool": bool}[entry.type]
            values[name] = _check(at, value, kind, entry.metadata)
    return section(**values)


def _links(raw, where):
    raw = _mapping(raw, where)
    for name in raw:
        _require(isinstance(name, str) and 1 <= len(name) <= 64, f"a name of {where}", name, "1 to 64 characters")
    _require(1 <= len(raw) <= MAX_LINKS, where, raw, f"1 to {MAX_LINKS} links")
    return {name: _build(VirtualLink, value, f"{where}.{name}") for name, value in raw.items()}


def _impairments(raw, where):
    raw = _mapping(raw, where)
    _require("samp_rate" not in raw, f"{where}.samp_rate", raw.get("samp_rate"), "left to the profile's samp_rate")
    numeric = {entry.name for entry in fields(ImpairmentProfile) if str(entry.type).startswith(("float", "int"))}
    raw = {key: _plain(value) if key in numeric else value for key, value in raw.items()}
    try:
        load_profile({**raw, "samp_rate": 1e9})  # the widest one: shifts beyond the rate are found when it is known
    except (ValueError, TypeError) as error:
        raise ProfileError(f"{where}: {error}", where) from None
    return raw


def _plain(value):
    """YAML reads 1e6 as text; a text that is a number is one."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _check(where, value, kind, rules):
    if kind is str:
        _require(isinstance(value, str) and len(value) <= MAX_TEXT, where, value, f"a text of up to {MAX_TEXT} letters")
        legal = rules.get("legal", (value,))
        _require(value in legal, where, value, f"one of {', '.join(legal)}")
        return value
    if kind is bool:
        _require(isinstance(value, bool), where, value, "true or false")
        return value
    number = _plain(value)
    low, high = rules["low"], rules["high"]
    unit = f" {rules['unit']}" if rules.get("unit") else ""
    fits = type(number) in (int, float) and low <= number <= high and not (kind is int and number != int(number))
    whole = "a whole number" if kind is int else "a number"
    _require(fits, where, value, f"{whole} in {low:g}..{high:g}{unit}")
    return kind(number)


def _mapping(raw, where):
    if raw is None:
        return {}
    _require(isinstance(raw, dict), where, raw, "a mapping")
    return raw


def _no_others(raw, known, where, besides=()):
    unknown = sorted(str(key) for key in raw if key not in known)
    if unknown:
        name, legal = f"{where}{unknown[0][:MAX_TEXT]}", f"one of {', '.join(sorted([*known, *besides]))}"
        raise ProfileError(f"{name} is unknown, must be {legal}", name, "", legal)


def with_gains(profile, tx_gain_db=None, rx_gain_db=None):
    """The profile with other gains, checked against the family's ranges; None keeps one."""
    gains = {"tx": tx_gain_db, "rx": rx_gain_db}
    if profile.is_device:
        section = getattr(profile, profile.kind)
        fronts = {
            side: dataclasses.replace(getattr(section, side), gain_db=gain)
            for side, gain in gains.items() if gain is not None
        }  # fmt: skip
        profile = dataclasses.replace(profile, **{profile.kind: dataclasses.replace(section, **fronts)})
        if profile.uhd:
            FAMILIES[profile.uhd.family].check(profile)
    elif profile.kind == "virtual":
        values = {f"{side}_gain_db": gain for side, gain in gains.items() if gain is not None}
        profile = dataclasses.replace(profile, virtual=dataclasses.replace(profile.virtual, **values))
    return profile
