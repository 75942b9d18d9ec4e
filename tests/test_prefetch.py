"""Items made ready by a thread of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from fastact.errors import InputError
from fastact.frames import prefetch


def threads() -> int:
    return sum(t.name == "fastact-prefetch" for t in threading.enumerate())


def settled() -> bool:
    """Whether no thread of ours is left, a moment given."""
    end = time.monotonic() + 60
    while threads() and time.monotonic() < end:
        time.sleep(0.01)
    return threads() == 0


@pytest.mark.parametrize("count", [1, 2, 8, 1024])
def test_items_come_whole_and_in_order(count: int):
    assert list(prefetch(range(1000), count)) == list(range(1000))
    assert list(prefetch(iter([]), count)) == []
    assert list(prefetch([None, None], count)) == [None, None]
    assert settled()


@pytest.mark.parametrize("count", [1, 3])
def test_no_more_than_so_many_are_made_before_they_are_asked_for(count: int):
    made = []

    def items() -> Iterator[int]:
        for i in range(20):
            made.append(i)
            yield i

    fetched = prefetch(items(), count)
    assert made == []
    for i in range(20):
        assert next(fetched) == i
        time.sleep(0.002)
        assert len(made) <= i + 1 + count
    assert settled()


def test_items_are_made_by_another_thread():
    names = list(prefetch(threading.current_thread().name for _ in range(2)))
    assert names == ["fastact-prefetch"] * 2


def test_an_exception_comes_where_the_item_would_have_come():
    def items() -> Iterator[int]:
        yield 1
        raise InputError("the second is no picture")

    fetched = prefetch(items())
    assert next(fetched) == 1
    with pytest.raises(InputError, match="second"):
        next(fetched)
    assert settled()


def test_leaving_the_loop_ends_the_thread():
    for i in prefetch(iter(int, 1), 4):  # without end
        assert i == 0
        break
    assert settled()


@pytest.mark.parametrize("count", [0, -1, 1025, 2.0, True])
def test_a_number_that_cannot_be(count: object):
    with pytest.raises(InputError, match="from 1 to 1024"):
        prefetch([], count)
