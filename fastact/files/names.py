"""Which of the weights stored in a layer's group belongs to which layer.

What Keras writes, for a layer ``c`` with a weight ``kernel``:

==========================================================  ==============================
written by                                                  stored name
==========================================================  ==============================
Keras 2, any model                                          ``c/kernel:0``
Keras 3.0.0 to 3.2.1                                        ``kernel``
Keras 3.3 and later, functional model                       ``c/kernel``
Keras 3.3 and later, Sequential ``s``                       ``s/c/kernel``
TimeDistributed ``c`` of a layer ``d``, Keras 2             ``c/kernel:0``
TimeDistributed ``c`` of a layer ``d``, Keras 3             ``c/d/kernel``
a recurrent layer, whose weights are its cell's             ``c/lstm_cell/kernel``
Bidirectional ``c`` of a layer ``d``                        ``c/forward_d/lstm_cell/kernel``
the same with a layer ``e`` for the way back, Keras 3       ``c/e/lstm_cell/kernel``
RNN ``c`` over several cells                                ``c/stacked_rnn_cells/lstm_cell_1/kernel``
TensorFlow 1, a name used before in the same session        ``c_1/kernel:0``, ``c/kernel_1:0``
a layer first built inside another model or scope ``x``     ``x/c/kernel``
Keras 2, a layer that was renamed                           ``old/kernel:0``
==========================================================  ==============================

A nested model's weights all lie in the group of the outermost layer, trainable ones first. So a weight is
found by the name of its layer and its own, whole names, never by its position, and a layer's weights lie
under one prefix. Where two prefixes fit equally well, that is an error.

Bidirectional layers and RNN over several cells have their weights under several prefixes, and ask for them as
``forward/kernel`` and ``1/kernel``. What such a name begins with is looked for in the stored prefix and moved to the
weight's own name: ``c/forward_d/lstm_cell/kernel`` becomes ``forward/kernel`` under ``c``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import MappingProxyType

from ..kernels.records import dataclass
from .model import LayerPath
from .text import listed, quoted

__all__ = ["MatchError", "StoredName", "assign", "parse"]

_Prefix = tuple[str, ...]

_OUTPUT_INDEX = re.compile(r":[0-9]+\Z")


class MatchError(LookupError):
    """A layer's weights are not there, or could be in two places. The message ends a sentence on the file."""


@dataclass(frozen=True)
class StoredName:
    """A name from ``weight_names``, taken apart."""

    name: str
    """As it is in the file: ``"tower/c/kernel:0"``."""
    prefix: _Prefix
    """``("tower", "c")``."""
    leaf: str
    """``"kernel"``."""


def parse(name: str) -> StoredName:
    """Take a stored name apart."""
    *prefix, leaf = _OUTPUT_INDEX.sub("", name).split("/")
    return StoredName(name, tuple(prefix), leaf)


def assign(
    wanted: Mapping[LayerPath, Collection[str]],
    stored: Sequence[StoredName],
    known: Iterable[str],
    model: str,
    inner: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> dict[LayerPath, dict[str, StoredName]]:
    """Give every wanted weight of one group its stored name.

    Args:
        wanted: the leaf names for each layer path; all paths begin with the group's own layer.
        stored: the group's weights.
        known: the names of all layers in the configuration, wanted or not.
        model: the name of the whole model.
        inner: for layers with several layers inside, by name, the names of those; see `architecture.inner_names`.

    Raises:
        MatchError: a layer's weights are not there, or could be in two places, or two layers want the same.
    """
    known = frozenset(known)
    group = _Group(stored, known, model)
    result = {}
    for path, leaves in wanted.items():
        parts = {leaf.rpartition("/")[0] for leaf in leaves}
        if parts == {""}:
            result[path] = group.weights_of(path, leaves)
            continue
        moved = [one for part in parts for one in _moved(stored, part, inner.get(path[-1], {}))]
        found = _Group(moved, known, model).weights_of(path, leaves)
        original = {one.name: one for one in stored}
        result[path] = {leaf: original[one.name] for leaf, one in found.items()}
    owner: dict[str, LayerPath] = {}
    for path, found in result.items():
        for one in found.values():
            other = owner.setdefault(one.name, path)
            if other != path:
                raise MatchError(
                    f"is ambiguous: the weight {quoted(one.name)} could belong to layer {_shown(other)} and "
                    f"to layer {_shown(path)}"
                )
    return result


class _Group:
    """The stored names of one group, by prefix."""

    def __init__(self, stored: Sequence[StoredName], known: AbstractSet[str], model: str) -> None:
        self._stored = stored
        self._model = model
        self._known = known
        self._by_prefix: dict[_Prefix, list[StoredName]] = {}
        for one in stored:
            self._by_prefix.setdefault(one.prefix, []).append(one)
        # Which prefixes can matter to a layer, by the last part of its name: spares comparing all with all.
        self._by_part: dict[str, set[_Prefix]] = {}
        for prefix in self._by_prefix:
            for part in (*prefix, *_stems(prefix[-1] if prefix else "")):
                self._by_part.setdefault(part, set()).add(prefix)

    def weights_of(self, path: LayerPath, leaves: Collection[str]) -> dict[str, StoredName]:
        """Find the prefix that fits the path best among those that hold all the leaves."""
        own = tuple(path[-1].split("/"))
        alone = len(path) == 1
        candidates = self._by_prefix if alone else sorted(self._by_part.get(own[-1], ()))
        holding = {
            prefix: found
            for prefix in (*candidates, ())
            if (found := _leaves_in(self._by_prefix.get(prefix, ()), leaves)) is not None
        }
        if alone and len(holding) == 1:
            # All in the group is this layer's, whatever scope or former name it was built under.
            return next(iter(holding.values()))
        ranked = sorted((rank, prefix) for prefix in holding if (rank := self._rank(path, prefix)) is not None)
        if not ranked:
            raise MatchError(
                f"does not agree with its configuration: layer {_shown(path)} should have the weights "
                f"{listed(leaves)} and the file stores {listed(one.name for one in self._stored)}"
            )
        best, prefix = ranked[0]
        rivals = [other for rank, other in ranked[1:] if rank == best]
        # A session that renamed c_1 to c_1_1 may have renamed c to c_1, which then looks like the true one.
        rivals += [other for other in holding if _is_renamed(other, own) and not self._is_known(other)]
        if any(other != prefix for other in rivals):
            raise MatchError(
                f"is ambiguous: the weights of layer {_shown(path)} could be those under "
                f"{listed('/'.join(one) for one in (prefix, *rivals))}"
            )
        return holding[prefix]

    def _rank(self, path: LayerPath, prefix: _Prefix) -> tuple[int, int] | None:
        """How well a prefix fits a layer path: lower is better, None not at all."""
        own = tuple(path[-1].split("/"))
        size = len(own)
        if not prefix:
            return (4, 0)
        if prefix[-size:] == own:
            if self._is_known(prefix, longer_than=size):
                return None  # "p/c" is the layer "p/c", not the layer "c" in a scope "p"
            above = prefix[:-size]
            # Functional models leave no trace in their layers' names, Sequential ones do.
            return (0, -len(above)) if _is_trace(above, (self._model, *path[:-1])) else (1, 0)
        for start in range(len(prefix) - size):
            if prefix[start : start + size] == own:
                return (2, 0)  # a wrapper, with the layer that it wraps
        return (3, 0) if _is_renamed(prefix, own) else None

    def _is_known(self, prefix: _Prefix, longer_than: int = 0) -> bool:
        """Whether the prefix ends with the whole name of a layer in the configuration."""
        return any("/".join(prefix[-size:]) in self._known for size in range(longer_than + 1, len(prefix) + 1))


def _moved(stored: Iterable[StoredName], part: str, inner: Mapping[str, str]) -> Iterator[StoredName]:
    """Yield the stored names that have `part` in their prefix, with it moved to the weight's own name.

    A name comes as often as it can be read so: the layer itself may be called ``forward_d``.
    """
    first, *others = part.split("/")
    for one in stored:
        for start, step in enumerate(one.prefix):
            steps = iter(one.prefix[start + 1 :])
            if _leads(step, first, inner) and all(any(_leads(s, way, inner) for s in steps) for way in others):
                yield StoredName(one.name, one.prefix[:start], f"{part}/{one.leaf}")


def _leads(step: str, way: str, inner: Mapping[str, str]) -> bool:
    """Whether a step of a prefix is a direction, as ``forward_lstm``, or the cell of a number."""
    return bool(way) and (step == inner.get(way) or step.startswith(f"{way}_"))


def _leaves_in(stored: Sequence[StoredName], leaves: Collection[str]) -> dict[str, StoredName] | None:
    """Find each leaf by its exact name, or by the only name that TensorFlow 1 made unique with a number."""
    found: dict[str, StoredName] = {}
    for leaf in leaves:
        fitting = [one for one in stored if one.leaf == leaf]
        fitting = fitting or [one for one in stored if leaf in _stems(one.leaf)]
        if len(fitting) != 1:
            return None
        found[leaf] = fitting[0]
    return found


def _is_trace(above: _Prefix, parents: Sequence[str]) -> bool:
    """Whether what stands before a layer's name is the names of its parents, some of them left out."""
    left = list(above)
    for parent in parents:
        parts = parent.split("/")
        if left[: len(parts)] == parts:
            del left[: len(parts)]
    return not left


def _is_renamed(prefix: _Prefix, own: _Prefix) -> bool:
    """Whether a prefix ends with the layer's name, made unique with a number."""
    end = prefix[-len(own) :]
    return len(end) == len(own) and end[:-1] == own[:-1] and own[-1] in _stems(end[-1])


def _stems(name: str) -> Iterator[str]:
    """Take numbers off a name, at most four: c_1_2 gives c_1 and c."""
    for _ in range(4):
        stem = name.rstrip("0123456789")
        if stem == name or not stem.endswith("_"):
            return
        name = stem[:-1]
        yield name


def _shown(path: LayerPath) -> str:
    return quoted("/".join(path))
