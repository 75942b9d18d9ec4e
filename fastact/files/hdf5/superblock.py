"""The superblock, versions 0 to 3: where the file's addresses begin and where its root group is.

HDF5 File Format Specification, II.A.
"""

from __future__ import annotations

from typing import NamedTuple

from ...errors import FileError
from .headers import DRIVER, METADATA_CACHE_IMAGE, read_header
from .window import Window

__all__ = ["SIGNATURE", "root_address"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"

_WIDTHS = (2, 4, 8)
_LEAST = 32
"""The bytes of a superblock at least."""
_IS_BEING_WRITTEN = 0x01 | 0x04


class _Superblock(NamedTuple):
    base: int
    end: int
    """Both as they were when the file was written, before a block of the user's was put in front or taken away."""
    root: int
    driver: int | None
    extension: int | None


def root_address(window: Window) -> int:
    """Find the superblock, set the window up for the file, and return the address of the root group's header.

    Raises:
        FileError: there is none, it is damaged, or the file is cut short or spread over several.
    """
    window.base = start = _find(window)
    if not window.holds(0, _LEAST):
        raise _cut_short(window, f"has only {window.size} bytes")
    version = window.read(8, 1)[0]
    if version not in (0, 1, 2, 3):
        raise window.problem(
            f"cannot be read: its superblock has the version {version}, where fastact reads 0 to 3; load it with Keras "
            "and save it again"
        )
    found = _old(window, version) if version < 2 else _new(window)
    if start - found.base + found.end > window.size:
        expected = start - found.base + found.end
        raise _cut_short(window, f"has {window.size} bytes, fewer than the {expected} that it says")
    if found.driver is not None or _is_split(window, found.extension):
        raise window.problem("is only one of several files that belong together: save it again as one")
    return found.root


def _find(window: Window) -> int:
    """Look for the signature at 0, 512, 1024, 2048 and so on."""
    offset = 0
    while window.holds(offset, len(SIGNATURE)):
        if window.read(offset, len(SIGNATURE)) == SIGNATURE:
            return offset
        offset = max(512, 2 * offset)
    if window.member is not None:
        raise _no_weights(window, "has no superblock")
    raise window.problem("is a damaged HDF5 file (it has no superblock): copy or save it again")


def _cut_short(window: Window, reason: str) -> FileError:
    if window.member is not None:
        return _no_weights(window, reason)
    return window.problem(f"is cut short: it {reason}; copy or save it again")


def _no_weights(window: Window, reason: str) -> FileError:
    return window.problem(f"holds damaged weights (its {window.member} {reason}): copy or save it again")


def _set_widths(window: Window, address_bytes: int, length_bytes: int) -> None:
    if address_bytes not in _WIDTHS or length_bytes not in _WIDTHS:
        raise window.damaged(f"its addresses have {address_bytes} bytes and its lengths {length_bytes}")
    window.set_widths(address_bytes, length_bytes)


def _old(window: Window, version: int) -> _Superblock:
    _set_widths(window, *window.read(13, 2))
    fields = window.struct("AAAA" + "LA")
    base, _, end, driver, _, root = fields.unpack(window.read(24 + 4 * version, fields.size))
    return _Superblock(base, end, root, driver if window.is_defined(driver) else None, None)


def _new(window: Window) -> _Superblock:
    version, address_bytes, length_bytes, flags = window.read(8, 4)
    _set_widths(window, address_bytes, length_bytes)
    fields = window.struct("AAAA")
    block = window.read_sound(0, 12 + fields.size + 4, "its superblock")
    base, extension, end, root = fields.unpack_from(block, 12)
    if version == 3 and flags & _IS_BEING_WRITTEN:
        raise window.damaged("the program that wrote it did not finish")
    return _Superblock(base, end, root, None, extension if window.is_defined(extension) else None)


def _is_split(window: Window, extension: int | None) -> bool:
    if extension is None:
        return False
    kinds = {message.kind for message in read_header(window, extension).messages}
    if METADATA_CACHE_IMAGE in kinds:
        raise window.problem("cannot be read: its structure is in a cache image; load it with Keras and save it again")
    return DRIVER in kinds
