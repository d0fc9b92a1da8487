# SPDX-License-Identifier: GPL-3.0-or-later
"""The radio's side of sample streams over the wire: what each end sent, what it may still send, whether it is alive."""

import logging
import time
from collections import Counter, deque

import numpy as np

from tokenlink.wire.duplex import ServerSocket
from tokenlink.wire.errors import WireError
from tokenlink.wire.iq_streams import CHUNK_SAMPLES, WINDOW_SAMPLES, new_session
from tokenlink.wire.messages import IqGrant, IqOpen, IqSamples, IqSet

#: a client not heard of for this long has left; another one may take its place
GONE_S = 3.0
TOLD_S = 0.1
#: a pause in serving longer than this is the radio's own, and does not count as silence of a client
_OWN_PAUSE_S = 0.25
_log = logging.getLogger(__name__)


class _End:
    """One end of a link as the radio sees it."""

    def __init__(self):
        self.session = self.peer = None
        self.has_left = False  # it said so
        self.opened_s = self.heard_s = self.moved_s = -np.inf

    def hears(self, peer, message, now_s):
        """Note a sign of life; False when another client has this end and is alive."""
        if message.session != self.session:
            if self.session is not None and now_s - self.heard_s < GONE_S:
                return False
            self.session, self.opened_s, self.moved_s = message.session, now_s, now_s
            self.has_left = False
        self.peer, self.heard_s = peer, now_s
        if message.closing:
            self.session = self.peer = None
            self.has_left = True
        return True

    def is_alive(self, now_s, patience_s=GONE_S):
        """Whether a client has this end and was heard of within ``patience_s``."""
        return self.session is not None and now_s - self.heard_s < patience_s


class TxEnd(_End):
    """What a transmitter sent and has not been read. ``time``: position read up to; ``declared``: known up to."""

    def __init__(self):
        super().__init__()
        self.time = self.declared = self.granted = 0
        self._pieces = deque()

    def put(self, message):
        """Keep samples; returns how many came for a time that has passed."""
        skip = min(max(self.declared - message.position, 0), len(message.samples))
        if len(message.samples) > skip:
            self._pieces.append((message.position + skip, message.samples[skip:]))
        self.declared = max(self.declared, message.until)
        return skip

    def take(self):
        """The pieces that came, as (position, samples), for a radio whose time goes on by itself."""
        pieces, self._pieces = list(self._pieces), deque()
        return pieces

    def read(self, n):
        """The next samples, zero where nothing was sent: complex64 [n]; time goes on by n."""
        out = np.zeros(n, np.complex64)
        while self._pieces and self._pieces[0][0] < self.time + n:
            position, samples = self._pieces.popleft()
            offset = position - self.time
            fits = samples[: n - offset]
            out[offset : offset + len(fits)] = fits
            if len(fits) < len(samples):
                self._pieces.appendleft((position + len(fits), samples[len(fits) :]))
        self.time += n
        self.declared = max(self.declared, self.time)
        return out


class RxEnd(_End):
    """How far a receiver has come. ``position``: next sample for it; ``limit``: samples before this have room."""

    def __init__(self):
        super().__init__()
        self.position = self.limit = 0

    @property
    def room(self):
        """Samples the receiver takes now."""
        return max(self.limit - self.position, 0) if self.session is not None else 0

    def skip(self, n):
        """Go on by n samples that the receiver does not get; the room it has stays the same."""
        self.position, self.limit = self.position + n, self.limit + n


class Link:
    """A transmitting and a receiving end; ``counts``: what happened to the link, by cause; ``device_counts``: what a
    device reported, by side and kind."""

    def __init__(self, name, samp_rate):
        self.name, self.samp_rate = name, samp_rate
        self.tx, self.rx = TxEnd(), RxEnd()
        self.counts = Counter()
        self.device_counts = {"tx": Counter(), "rx": Counter()}
        self.told_s, self.told = -np.inf, {}  # of the device, to the receiver


class IqServer:
    """Serves the ends of links at one address.

    Parameters
    ----------
    address : str         as zmq writes it; port * binds a free one, see attribute ``address``
    samp_rates : dict     link name -> Hz
    window_samples : int  bound of what a transmitter may have under way
    allow_remote : bool   bind to an address other machines reach; needs ``keys``
    keys : CurveKeys      encrypt; None: plain

    Attributes
    ----------
    links : dict       link name -> Link
    epoch : int        number of this start
    counts : Counter   of the socket, and "refused_open", "foreign_message", "over_credit", "refused_set"
    on_set : callable  gets (Link, role, dict of values) when a client changes settings; what it raises refuses
                       them
    now_s : float      time in which the radio has listened, s: clients are late by this clock
    """

    def __init__(self, address, samp_rates, window_samples=WINDOW_SAMPLES, allow_remote=False, keys=None):
        self.links = {name: Link(name, rate) for name, rate in samp_rates.items()}
        self.epoch, self.window_samples = new_session(), window_samples
        self._socket = ServerSocket(address, timeout_s=0.0, allow_remote=allow_remote, keys=keys)
        self.address, self.counts = self._socket.address, self._socket.counts
        self.now_s, self._served_s = 0.0, time.monotonic()
        self.on_set = None

    def serve(self, timeout_s=0.0):
        """Take in all messages that are there, waiting up to ``timeout_s`` for the first; how many came."""
        taken, now_s = 0, time.monotonic()
        self.now_s, self._served_s = self.now_s + min(now_s - self._served_s, _OWN_PAUSE_S), now_s
        while taken < 256 and (got := self._socket.recv(timeout_s if not taken else 0.0)) is not None:
            taken += 1
            peer, message = got
            if isinstance(message, IqOpen):
                self._on_open(peer, message)
            elif isinstance(message, IqSamples):
                self._on_samples(peer, message)
            elif isinstance(message, IqSet):
                self._on_set(peer, message)
            else:
                self._strange("foreign_message", f"{type(message).__name__} came to the radio")
        return taken

    def _on_open(self, peer, message):
        link, now_s = self.links.get(message.link), self.now_s
        refusal = self._refusal(link, message)
        end = None if refusal else (link.tx if message.role == "tx" else link.rx)
        if end is not None and not end.hears(peer, message, now_s):
            refusal = f"link {message.link} has another {message.role} end"
        if refusal:
            self._strange("refused_open", refusal)
            self._send(peer, IqGrant(0, 0, message.session, self.epoch, 0, 0, {}, refusal))
        elif message.closing:
            return
        elif end is link.tx:
            self.grant(link, always=True)
        elif message.epoch != self.epoch or message.limit <= end.position:
            # it is new, or samples were dropped while it took none: say where the air is
            end.limit = min(end.limit, end.position) if message.epoch == self.epoch else end.position
            self._send(peer, IqGrant(0, 0, message.session, self.epoch, end.position, end.position, {}))
        elif message.limit > end.limit:
            end.limit, end.moved_s = message.limit, now_s

    def _refusal(self, link, message):
        if link is None:
            return f"there is no link {message.link}, only {', '.join(self.links)}"
        if message.role not in ("tx", "rx"):
            return f"role is {message.role!r}, must be tx or rx"
        if message.samp_rate != link.samp_rate:
            return f"samp_rate is {message.samp_rate:g}, link {link.name} has {link.samp_rate:g} sample/s"
        return ""

    def _on_samples(self, peer, message):
        link = self.links.get(message.link)
        if link is None or message.session != link.tx.session or message.epoch != self.epoch:
            self._strange("foreign_message", f"samples for link {message.link} from a client that does not have it")
            return
        link.tx.heard_s = self.now_s
        end = message.position + len(message.samples)
        if message.until < end or message.until > link.tx.granted:
            self._strange("over_credit", f"samples up to {message.until}, allowed {end} to {link.tx.granted}")
            return
        behind = link.tx.put(message)
        if behind:
            link.counts["behind"] += behind

    def _on_set(self, peer, message):
        link, error = self.links.get(message.link), ""
        end = None if link is None else {"tx": link.tx, "rx": link.rx}.get(message.role)
        if end is None or message.session != end.session:
            error = f"link {message.link} is not yours to set"
        elif self.on_set is None:
            error = "this radio has no settings"
        else:
            try:
                self.on_set(link, message.role, message.values)
            except Exception as err:  # whatever a device says; the radio goes on
                error = str(err) or type(err).__name__
        if error:
            self._strange("refused_set", error)
        self._send(peer, IqSet(0, 0, message.link, message.role, message.session, {}, error[:500]))

    def grant(self, link, always=False):
        """Tell a transmitter how far it may send, when that has moved on enough or ``always``."""
        tx, limit = link.tx, link.tx.time + self.window_samples
        if tx.peer is not None and (always or limit - tx.granted >= self.window_samples // 4):
            tx.granted = max(limit, tx.granted)
            counts = dict(link.device_counts["tx"])
            self._send(tx.peer, IqGrant(0, 0, tx.session, self.epoch, tx.declared, tx.granted, counts))

    def tell(self, link):
        """Tell a receiver what the device reported since it was told last; that is not more often than TOLD_S."""
        rx, counts = link.rx, dict(link.device_counts["rx"])
        if rx.peer is not None and counts != link.told and self.now_s - link.told_s >= TOLD_S:
            link.told, link.told_s = counts, self.now_s
            self._send(rx.peer, IqGrant(0, 0, rx.session, self.epoch, rx.position, rx.position, counts))

    def deliver(self, link, samples, last=False):
        """Send samples to the receiver, as many as it has room for, and say so when they are the last ones; how many
        were taken."""
        done, rx = 0, link.rx
        while rx.peer is not None and (rx.room and done < len(samples) or last and done == len(samples)):
            part = samples[done : done + min(CHUNK_SAMPLES, rx.room)]
            ends = last and done + len(part) == len(samples)
            begin, until = rx.position, rx.position + len(part)
            message = IqSamples(0, 0, link.name, rx.session, self.epoch, begin, until, int(ends), part)
            if not self._send(rx.peer, message):
                break
            rx.position += len(part)
            done += len(part)
            if ends:
                break
        return done

    def _send(self, peer, message):
        try:
            return self._socket.send(peer, message)
        except WireError as err:
            self._strange("internal_error", err)
            return False

    def _strange(self, cause, text):
        if not self.counts[cause]:
            _log.warning("%s: %s: %s (further ones are only counted)", self.address, cause, text)
        self.counts[cause] += 1

    def close(self):
        """Close the socket."""
        self._socket.close(linger_s=0.2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
