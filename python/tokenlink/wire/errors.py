# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can be wrong with a message, one name each; counters use the class names."""


class WireError(Exception):
    """Base of all errors of the wire."""


class NotAMessage(WireError):
    """The header is not one of ours."""


class UnknownVersion(WireError):
    """Written by a version of the schema this code does not read."""


class UnknownKind(WireError):
    """The header names no message class."""


class TruncatedMessage(WireError):
    """A frame or part of one is missing."""


class OversizedMessage(WireError):
    """More bytes or frames than a message may have."""


class WrongDtype(WireError):
    """An array has another element type than the field asks for."""


class WrongShape(WireError):
    """An array is not one-dimensional, or lengths that must agree differ."""


class InvalidField(WireError):
    """A field is missing, unknown, of another type, or outside its range."""


class AddressRefused(WireError):
    """Binding to an address other machines can reach was not asked for, or has no keys."""


class KeysRefused(WireError):
    """Keys that are missing, malformed, open to others, or do not belong together."""


class PeerRefused(WireError):
    """A handshake failed: the other end has no keys, wrong ones, or is not admitted."""
