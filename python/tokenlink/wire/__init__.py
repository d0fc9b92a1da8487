# SPDX-License-Identifier: GPL-3.0-or-later
"""Versioned messages, their codec, and bounded sockets. ``tokenlink.wire.sockets`` is imported apart: it needs zmq."""

from tokenlink.wire.codec import MAX_MESSAGE_BYTES, decode, encode
from tokenlink.wire.errors import (
    AddressRefused,
    InvalidField,
    KeysRefused,
    NotAMessage,
    OversizedMessage,
    PeerRefused,
    TruncatedMessage,
    UnknownKind,
    UnknownVersion,
    WireError,
    WrongDtype,
    WrongShape,
)
from tokenlink.wire.messages import (
    MESSAGE_TYPES,
    NO_MODE,
    SCHEMA_VERSION,
    Bye,
    Hello,
    IqGrant,
    IqOpen,
    IqSamples,
    LinkReport,
    Message,
    ModeCommand,
    StateReport,
    TokenEstimate,
    TokenFrame,
    validate,
)
from tokenlink.wire.sequence import SequenceTracker

__all__ = [
    "MAX_MESSAGE_BYTES",
    "MESSAGE_TYPES",
    "NO_MODE",
    "SCHEMA_VERSION",
    "AddressRefused",
    "Bye",
    "Hello",
    "InvalidField",
    "IqGrant",
    "IqOpen",
    "IqSamples",
