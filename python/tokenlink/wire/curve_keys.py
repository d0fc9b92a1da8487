# SPDX-License-Identifier: GPL-3.0-or-later
"""CURVE keys: what a host keeps, how they lie on disk, and which addresses need them.

A folder of keys belongs to one host and holds all it needs, and nothing of another host's secrets::

    tx/secret.key     this host's pair; mode 0600, never leaves the host
    tx/tx.pub         its public key, for the others
    tx/peers/rx.pub   public keys of those it talks to, and of nobody else
"""

import ipaddress
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tokenlink.wire.errors import AddressRefused, KeysRefused

SECRET_FILE = "secret.key"
PEERS = "peers"
_Z85 = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


@dataclass(frozen=True)
class CurveKeys:
    """CURVE keys (Z85 bytes [40]) of this end.

    Parameters
    ----------
    public, secret : bytes
    server_public : bytes or None     key of the end that binds, for one that connects
    allowed : tuple of bytes or None  public keys an end that binds admits; None: whoever knows its own public key
    """

    public: bytes
    secret: bytes = field(repr=False)
    server_public: bytes | None = None
    allowed: tuple[bytes, ...] | None = None


def is_loopback(address):
    """True when no other machine can reach ``address`` (str, as zmq writes it)."""
    parts = urlsplit(address)
    if parts.scheme in ("ipc", "inproc"):
        return True
    host = address.removeprefix("tcp://").rsplit(":", 1)[0].strip("[]")
    if parts.scheme != "tcp":
        return False
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_address(address, bind, allow_remote, keys):
    """Refuse an address beyond loopback without what makes it safe, and a port libzmq would cut to 16 bits.

    Raises
    ------
    AddressRefused
    """
    port = address.rsplit(":", 1)[-1]
    if address.startswith("tcp://") and port not in ("*", "!") and not (port.isdigit() and int(port) <= 65535):
        raise AddressRefused(f"{address} has no port from 0 to 65535")
    if is_loopback(address):
        return
    if keys is None:
        reach = "can be reached from other machines" if bind else "is not on this machine"
        raise AddressRefused(f"{address} {reach}: needs CURVE keys, which ./twist keys makes")
    if bind and not allow_remote:
        raise AddressRefused(f"{address} can be reached from other machines: needs allow_remote")
    if bind and not keys.allowed:
        raise AddressRefused(f"{address} can be reached from other machines: needs keys of the peers it admits")


def write_host_keys(root, pairs):
    """Write a folder of keys for each host.

    Parameters
    ----------
    root : Path         gets one folder for each host
    pairs : dict        name of host -> (public, secret), Z85 bytes [40]

    Returns
    -------
    list of Path   the folders

    Raises
    ------
    KeysRefused   fewer than two hosts, a name that makes no file name, or a folder that is there already
    """
    root = Path(root)
    if len(pairs) < 2:
        raise KeysRefused(f"keys for {', '.join(pairs) or 'nobody'}: two hosts at least talk to each other")
    for name in pairs:
        if not _NAME.fullmatch(name):
            raise KeysRefused(f"host name {name!r} must be up to 40 letters, digits, - and _")
        if (root / name).exists():
            raise KeysRefused(f"{root / name} exists already: remove it first, or name another folder with --out")
    for name, (public, secret) in pairs.items():
        folder = root / name
        (folder / PEERS).mkdir(parents=True, mode=0o700)
        for each in (folder, folder / PEERS):
            each.chmod(0o700)
        _write(folder / SECRET_FILE, f"public {public.decode()}\nsecret {secret.decode()}\n")
        _write(folder / f"{name}.pub", f"public {public.decode()}\n")
        for peer in pairs.keys() - {name}:
            _write(folder / PEERS / f"{peer}.pub", f"public {pairs[peer][0].decode()}\n")
    return [root / name for name in pairs]


def load_host_keys(folder, peer=None):
    """CurveKeys of a host's folder: it admits every peer of the folder, and connects to one.

    Parameters
    ----------
    folder : Path
    peer : str     the one it connects to; may be left out where there is only one

    Returns
    -------
    CurveKeys

    Raises
    ------
    KeysRefused   a file is missing, unreadable, open to others, or holds no key
    """
    folder = Path(folder)
    secret = folder / SECRET_FILE
    own = _read(secret, ("public", "secret"))
    if stat.S_IMODE(secret.stat().st_mode) & 0o077:
        raise KeysRefused(f"{secret} can be read by others: chmod 600 it, or make new keys")
    peers = {path.stem: _read(path, ("public",))["public"] for path in sorted((folder / PEERS).glob("*.pub"))}
    if not peers:
        raise KeysRefused(f"{folder / PEERS} holds no public key: put those of the other hosts there")
    if peer is None and len(peers) == 1:
        peer = next(iter(peers))
    if peer is not None and peer not in peers:
        raise KeysRefused(f"peer is {peer!r}, {folder / PEERS} has {', '.join(peers)}")
    return CurveKeys(own["public"], own["secret"], peers.get(peer), tuple(peers.values()))


def _write(path, text):
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _read(path, names):
    """Entries of a key file: dict of name -> bytes."""
    try:
        lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise KeysRefused(f"{path} cannot be read: {error}; ./twist keys makes keys") from None
    entries = {words[0]: words[1] for words in lines if len(words) == 2 and _Z85.fullmatch(words[1])}
    if set(entries) != set(names) or len(lines) != len(names):
        raise KeysRefused(f"{path} must hold {' and '.join(names)}, each with a key of 40 characters")
    return {name: entries[name].encode() for name in names}
