# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML as plain values, with bounds on depth, size after aliases, and numbers; nothing else can be made of a text.

PyYAML's safe loader makes nothing dangerous, but what it makes may be too deep for Python's stack, take forever to
walk through, or be a date or a number that nobody can print. Dates stay text here, and the rest is refused by name.
"""

from __future__ import annotations

import math

import yaml
from yaml.composer import Composer, ComposerError
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.resolver import Resolver

MAX_DEPTH = 16
MAX_NODES = 50_000
MAX_DIGITS = 40
MAX_WHOLE = 2**63
_TAG = "tag:yaml.org,2002:"


def _refusal(error, problem, node):
    return error(None, None, problem, node.start_mark)


class _BoundedComposer(Composer):
    """Nodes of a document, refused beyond MAX_DEPTH levels or MAX_NODES nodes, those behind an alias counted again."""

    def __init__(self):
        Composer.__init__(self)
        self._depth = self._n_nodes = 0
        self._sizes = {}

    def compose_node(self, parent, index):
        """As the base class; what an alias stands for must be whole, and is as large as if it were written there."""
        event, before = self.peek_event(), self._n_nodes
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in self.anchors and event.anchor not in self._sizes:
                raise _refusal(ComposerError, f"{event.anchor[:40]!r} holds itself", event)
            self._n_nodes += self._sizes.get(event.anchor, 0)
        self._n_nodes += 1
        if self._n_nodes > MAX_NODES:
            raise _refusal(ComposerError, f"more than {MAX_NODES} values, aliases counted", event)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _refusal(ComposerError, f"more than {MAX_DEPTH} levels", event)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if not isinstance(event, yaml.AliasEvent) and event.anchor is not None:
            self._sizes[event.anchor] = self._n_nodes - before
        return node

    def compose_mapping_node(self, anchor):
        """As the base class; a key that is there twice would lose the first one's value."""
        node, seen = super().compose_mapping_node(anchor), set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise _refusal(ComposerError, f"{key.value[:40]!r} is there twice", key)
                seen.add((key.tag, key.value))
        return node


class _PlainConstructor(SafeConstructor):
    """None, bool, int, float, str, list, dict; numbers that are finite and fit in 64 bits."""

    yaml_constructors = {
        tag: make for tag, make in SafeConstructor.yaml_constructors.items()
        if tag is None or tag.removeprefix(_TAG) in ("null", "bool", "int", "float", "str", "seq", "map")
    }  # fmt: skip

    def _scalar(self, node, make, kind):
        text = self.construct_scalar(node)
        try:
            if len(text) > MAX_DIGITS:
                raise ValueError
            return make(self, node)
        except (ValueError, KeyError, IndexError, OverflowError):
            raise _refusal(ConstructorError, f"{text[:MAX_DIGITS]!r} is no {kind}", node) from None

    def whole(self, node):
        """int below 2**63 in size."""
        value = self._scalar(node, SafeConstructor.construct_yaml_int, f"number of up to {MAX_DIGITS} characters")
        if abs(value) >= MAX_WHOLE:
            raise _refusal(ConstructorError, f"a number is {value}, must be below 2^63", node)
        return value

    def number(self, node):
        """float, finite."""
        value = self._scalar(node, SafeConstructor.construct_yaml_float, f"number of up to {MAX_DIGITS} characters")
        if not math.isfinite(value):
            raise _refusal(ConstructorError, f"a number is {node.value[:MAX_DIGITS]}, must be finite", node)
        return value

    def truth(self, node):
        """bool."""
        return self._scalar(node, SafeConstructor.construct_yaml_bool, "truth value")


_PlainConstructor.add_constructor(f"{_TAG}int", _PlainConstructor.whole)
_PlainConstructor.add_constructor(f"{_TAG}float", _PlainConstructor.number)
_PlainConstructor.add_constructor(f"{_TAG}bool", _PlainConstructor.truth)
_PlainConstructor.add_constructor(f"{_TAG}timestamp", SafeConstructor.construct_yaml_str)


class PythonLoader(_BoundedComposer, yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, _PlainConstructor,
                   Resolver):  # fmt: skip
    """The bounded loader over PyYAML's own parser."""

    def __init__(self, text):
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)
        _BoundedComposer.__init__(self)
        _PlainConstructor.__init__(self)
        Resolver.__init__(self)


if yaml.__with_libyaml__:

    class BoundedLoader(_BoundedComposer, yaml.cyaml.CParser, _PlainConstructor, Resolver):
        """The bounded loader over libyaml, ten times as fast."""

        def __init__(self, text):
            yaml.cyaml.CParser.__init__(self, text)
            _BoundedComposer.__init__(self)
            _PlainConstructor.__init__(self)
            Resolver.__init__(self)

else:
    BoundedLoader = PythonLoader
