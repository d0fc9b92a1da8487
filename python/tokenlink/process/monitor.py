# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run does, for whoever asks while it runs: JSON at /, the text format of Prometheus at /metrics."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import isfinite

from prometheus_client import CollectorRegistry, Counter, Gauge, Info
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

HOST = "127.0.0.1"
MAX_PORT = 2**16 - 1


class MonitorError(RuntimeError):
    """The port cannot be listened at; the message names it."""


class Monitor:
    """Listens on this machine from its creation until it is closed; a context closes it.

    Parameters
    ----------
    port : int    0: any free one, see ``port``
    about : dict  of str, what is run; the labels of twist_run_info and "about" of the JSON

    Raises
    ------
    ValueError     a port out of range
    MonitorError   it cannot be listened at

    Notes
    -----
    Of every slot's record numbers become gauges ``twist_slot_NAME``; "mode" and what is true are counted; dictionaries
    are looked into one level deep. Names are those of ``records.jsonl``.
    """

    def __init__(self, port, about):
        if not 0 <= port <= MAX_PORT:
            raise ValueError(f"port is {port}, expected 0 to {MAX_PORT}")
        self._about, self._latest, self._n_slots, self._begin_s = dict(about), {}, 0, time.monotonic()
        self._lock, self._gauges = threading.Lock(), {}
        self._registry = CollectorRegistry()
        Info("twist_run", "What is run.", registry=self._registry).info(self._about)
        self._slots = Counter("twist_slots", "Slots so far.", ["mode"], registry=self._registry)
        self._true = Counter("twist_slots_with", "Slots of which this holds.", ["what"], registry=self._registry)
        try:
            self._server = ThreadingHTTPServer((HOST, port), _handler(self))
        except OSError as error:
            raise MonitorError(f"no monitor at port {port}: {error.strerror}") from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    @property
    def port(self):
        """The port that is listened at."""
        return self._server.server_address[1]

    @property
    def url(self):
        """Where the JSON is."""
        return f"http://{HOST}:{self.port}/"

    def slot(self, record):
        """Take in the record of a slot, a dict of plain values as in ``records.jsonl``."""
        numbers, holds = _flat(record)
        with self._lock:
            self._n_slots += 1
            self._latest = record
            self._slots.labels(str(record.get("mode"))).inc()
            for name in holds:
                self._true.labels(name).inc()
            for name, value in numbers.items():
                if name not in self._gauges:
                    about = f"{name.replace('_', ' ')} of the last slot that has it."
                    self._gauges[name] = Gauge(f"twist_slot_{name}", about, registry=self._registry)
                self._gauges[name].set(value)

    def text(self):
        """Everything in the text format of Prometheus, bytes."""
        with self._lock:
            return generate_latest(self._registry)

    def json(self):
        """Everything as JSON, bytes."""
        with self._lock:
            content = {
                "about": self._about, "n_slots": self._n_slots, "seconds": round(time.monotonic() - self._begin_s, 3),
                "slots_by_mode": _counted(self._slots, "mode"), "slots_with": _counted(self._true, "what"),
                "last_slot": self._latest,
            }  # fmt: skip
        return json.dumps(content).encode() + b"\n"

    def close(self):
        """Listen no longer."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@contextlib.contextmanager
def monitored(port, about, say):
    """A function that takes in the records of slots: a Monitor's, or with port None one that does nothing.

    Parameters
    ----------
    port : int or None
    about : dict of str
    say : str -> None     gets a line that says where to look
    """
    if port is None:
        yield lambda record: None
        return
    with Monitor(port, about) as monitor:
        say(f"monitor     {monitor.url} (JSON), {monitor.url}metrics (Prometheus)")
        yield monitor.slot


def _flat(record):
    """(finite numbers by name, names of what is true) of a record; those inside a dictionary as OUTER_INNER."""
    inside = {f"{name}_{inner}": each for name, value in record.items() if isinstance(value, dict)
              for inner, each in value.items()}  # fmt: skip
    plain = {name: value for name, value in (record | inside).items() if isinstance(value, bool | int | float)}
    numbers = {name: float(value) for name, value in plain.items() if not isinstance(value, bool) and isfinite(value)}
    return numbers, [name for name, value in plain.items() if value is True]


def _counted(counter, label):
    (family,) = counter.collect()
    return {each.labels[label]: int(each.value) for each in family.samples if each.name.endswith("_total")}


def _handler(monitor):
    pages = {"/": ("application/json", monitor.json), "/metrics": (CONTENT_TYPE_LATEST, monitor.text)}

    class Handler(BaseHTTPRequestHandler):
        """Answers GET of the two pages, and nothing else."""

        timeout = 10

        def do_GET(self):  # noqa: N802 (as the library calls it)
            kind, page = pages.get(self.path.partition("?")[0], (None, None))
            if page is None:
                self.send_error(HTTPStatus.NOT_FOUND, "only / and /metrics are here")
                return
            content = page()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            """Nobody wants a line for every question."""

    return Handler
