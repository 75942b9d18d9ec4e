"""The dataclasses of fastact.kernels.records are those of the standard library, but for how they are made."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import field
from functools import cached_property
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from fastact.kernels import records

MADE = {"standard": dataclasses.dataclass, "record": records.dataclass}


def classes(dataclass: Callable[..., Any]) -> SimpleNamespace:
    """The same classes, made by one decorator or the other."""

    @dataclass(frozen=True)
    class Point:
        kind: ClassVar[str] = "point"
        x: int
        y: int = 2
        names: list[str] = field(default_factory=list, compare=False)

        @cached_property
        def far(self) -> int:
            return self.x + self.y

    @dataclass(frozen=True)
    class Named(Point):
        """A point with a name."""

        name: str = field(default="", repr=False)

    @dataclass
    class Open:
        x: int
        late: int = field(default=7, init=False)

        def __post_init__(self) -> None:
            if self.x < 0:
                raise ValueError("x is below 0")

    @dataclass(frozen=True, eq=False)
    class Alone:
        x: int

        def __repr__(self) -> str:
            return "alone"

    return SimpleNamespace(Point=Point, Named=Named, Open=Open, Alone=Alone)


BOTH = {name: classes(made) for name, made in MADE.items()}

DOES: dict[str, Callable[[SimpleNamespace], object]] = {
    "positional": lambda c: vars(c.Point(1, 3, ["a"])),
    "named": lambda c: vars(c.Point(y=1, x=3)),
    "defaults": lambda c: vars(c.Point(1)),
    "a list of its own": lambda c: c.Point(1).names is c.Point(1).names,
    "inherited": lambda c: vars(c.Named(1, 2, [], "n")),
    "not given": lambda c: (c.Open(3).late, c.Open(3)),
    "checked": lambda c: c.Open(-1),
    "shown": lambda c: [repr(one).rpartition(".")[2] for one in (c.Point(1), c.Named(1, name="n"), c.Alone(1))],
    "equal": lambda c: (c.Point(1) == c.Point(1, names=["a"]), c.Point(1) == c.Point(2), c.Point(1) == c.Named(1)),
    "by identity": lambda c: (c.Alone(1) == c.Alone(1), len({c.Alone(1), c.Alone(1)})),
    "hashed": lambda c: (hash(c.Point(1)) == hash(c.Point(1)), len({c.Point(1), c.Point(1), c.Point(2)})),
    "not hashed": lambda c: hash(c.Open(1)),
    "kept once": lambda c: (c.Point(1).far, c.Named(1, 5).far),
    "replaced": lambda c: vars(dataclasses.replace(c.Named(1), x=4, name="n")),
    "as a dictionary": lambda c: dataclasses.asdict(c.Named(1)),
    "fields": lambda c: [(f.name, f.default) for f in dataclasses.fields(c.Named)],
    "matched": lambda c: c.Named.__match_args__,
    "changed": lambda c: setattr(c.Open(1), "x", 5),
    "frozen": lambda c: setattr(c.Point(1), "x", 5),
    "frozen, inherited": lambda c: setattr(c.Named(1), "other", 5),
    "not deleted": lambda c: delattr(c.Point(1), "x"),
    "too many": lambda c: c.Point(1, 2, [], 4),
    "too few": lambda c: c.Point(),
    "unknown": lambda c: c.Point(1, z=1),
    "twice": lambda c: c.Point(1, x=1),
    "a constant of the class": lambda c: c.Point(1, kind="line"),
    "what is not given": lambda c: c.Open(1, late=2),
    "replaced by what it has not": lambda c: dataclasses.replace(c.Point(1), z=1),
}


def outcome(does: Callable[[SimpleNamespace], object], made: SimpleNamespace) -> object:
    try:
        return repr(does(made))
    except Exception as error:
        return type(error)


@pytest.mark.parametrize("name", DOES)
def test_it_does_as_the_standard_library_s(name: str) -> None:
    standard, own = (outcome(DOES[name], made) for made in BOTH.values())
    assert own == standard


@records.dataclass(frozen=True)
class Pickled:
    """In a module, as pickle needs it."""

    x: int


def test_it_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Pickled(3))) == Pickled(3)


def test_an_error_names_the_class_and_the_value() -> None:
    with pytest.raises(TypeError, match=r"Pickled\(\) needs 'x'"):
        Pickled()
    with pytest.raises(TypeError, match=r"Pickled\(\) takes x, each once"):
        Pickled(1, 2)


def test_no_method_is_compiled() -> None:
    """What it is for: the standard library's methods come from source made up for each class."""
    code = [m.__code__.co_filename for _, m in inspect.getmembers(BOTH["record"].Point, inspect.isfunction)]
    assert code
    assert "<string>" not in code
