# SPDX-License-Identifier: GPL-3.0-or-later
"""Push and pull sockets whose messages carry a token, which only those know whom the receiving end has told it.

Before the frames of a message goes one more: four bytes that say it is a token and of which version, then the token.
An end that binds tells its token to one address and acts only on what brings it back: so a stranger on the same
machine, who can send to the end but not listen for it, has no say. Against one who can listen, keys are needed.
"""

import hmac
import secrets

from tokenlink.wire.codec import MAGIC
from tokenlink.wire.errors import NotAMessage, UnknownVersion
from tokenlink.wire.sockets import PullSocket, PushSocket

TOKEN_MAGIC = b"TLT1"
TOKEN_BYTES = 16
NO_TOKEN = bytes(TOKEN_BYTES)


def new_token():
    """A fresh token, bytes [TOKEN_BYTES], from the operating system's random source."""
    return secrets.token_bytes(TOKEN_BYTES)


class BoundPushSocket(PushSocket):
    """A PushSocket; each message goes out with a token, NO_TOKEN where the other end has told none yet."""

    def send_with(self, token, message, timeout_s=None):
        """As ``send``, with a token (bytes [TOKEN_BYTES])."""
        self._before = (TOKEN_MAGIC + token,)
        return self.send(message, timeout_s)


class BoundPullSocket(PullSocket):
    """A PullSocket that says of each message whether it brings the token of this end.

    Parameters
    ----------
    address : str
    token : bytes     [TOKEN_BYTES], of this end
    options           those of PullSocket
    """

    _envelope = 1

    def __init__(self, address, token, **options):
        super().__init__(address, **options)
        self._token = TOKEN_MAGIC + token

    def recv(self, timeout_s=None):
        """(proven, message) of the next well-formed message, or None; only proven ones are numbered and counted."""
        got = self._next(timeout_s)
        if got is None:
            return None
        frames, message = got
        proven = hmac.compare_digest(bytes(frames[0]), self._token)
        if proven:
            self._count(message)
        return proven, message

    def _check_envelope(self, frames):
        head = bytes(frames[0][: len(MAGIC)])
        if head == MAGIC:
            raise UnknownVersion("a message without a token: the other end is of an older version")
        if head != TOKEN_MAGIC or len(frames[0]) != len(self._token):
            raise NotAMessage(f"message begins with {head!r}, expected {TOKEN_MAGIC!r} and {TOKEN_BYTES} bytes")
