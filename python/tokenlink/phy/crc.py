# SPDX-License-Identifier: GPL-3.0-or-later
"""Cyclic redundancy checks of TS 38.212 clause 5.1, on unpacked bits."""

import numba
import numpy as np

#: name -> (length in bits, generator polynomial without its leading term)
POLYNOMIALS = {
    "crc24a": (24, 0x864CFB),
    "crc24b": (24, 0x800063),
    "crc24c": (24, 0xB2B117),
    "crc16": (16, 0x1021),
    "crc11": (11, 0x621),
    "crc6": (6, 0x21),
}


@numba.njit(cache=True)
def _remainder(bits, length, polynomial):
    top = np.uint32(1) << np.uint32(length - 1)
    mask = (np.uint32(1) << np.uint32(length)) - np.uint32(1)
    register = np.uint32(0)
    for bit in bits:
        feedback = ((register & top) != 0) != (bit != 0)
        register = (register << np.uint32(1)) & mask
        if feedback:
            register ^= np.uint32(polynomial)
    return register


def crc(bits, name):
    """CRC parity bits of a bit string.

    Parameters
    ----------
    bits : uint8 0/1 [n]
    name : str   a key of ``POLYNOMIALS``

    Returns
    -------
    uint8 0/1 [n_crc]   most significant coefficient first

    Raises
    ------
    ValueError   unknown name, or bits that are not a 0/1 vector

    Notes
    -----
    TS 38.212 clause 5.1; the register starts at zero and nothing is reflected.
    """
    if name not in POLYNOMIALS:
        raise ValueError(f"name is {name!r}, must be one of {', '.join(POLYNOMIALS)}")
    bits = np.ascontiguousarray(bits, np.uint8)
    if bits.ndim != 1 or (bits.size and bits.max() > 1):
        raise ValueError(f"bits must be a vector of 0 and 1, got shape {bits.shape}")
    length, polynomial = POLYNOMIALS[name]
    remainder = int(_remainder(bits, length, polynomial))
    return ((remainder >> np.arange(length - 1, -1, -1)) & 1).astype(np.uint8)


def attach(bits, name):
    """Bits followed by their CRC: uint8 [n] -> uint8 [n + n_crc]."""
    bits = np.ascontiguousarray(bits, np.uint8)
    return np.concatenate([bits, crc(bits, name)])


def check(bits, name):
    """True when the last bits are the CRC of those before; ValueError when there are fewer bits than the CRC has."""
    parity = crc(bits, name)
    if len(bits) < len(parity):
        raise ValueError(f"bits has {len(bits)} entries, {name} alone has {len(parity)}")
    return not parity.any()
