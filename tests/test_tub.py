"""Donkey's tubs: what is in one, and what a damaged or hostile one cannot do."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tubs import COUNT, pixels, record, write_manifest, write_tub

from fastact.errors import FileError, InputError
from fastact.tub import LONGEST_LINE, Tub


def rewrite(folder: Path, *lines: str) -> None:
    """One catalog with these lines."""
    (folder / "catalog_0.catalog").write_text("".join(line + "\n" for line in lines))
    write_manifest(folder, paths=["catalog_0.catalog"], deleted_indexes=[])


def walk(folder: Path) -> tuple[list[int], int]:
    """The numbers of the records a walk gives, and how many it left out as damaged."""
    records = Tub.open(folder).records()
    return [r.index for r in records], records.damaged


def test_records_and_frames(tmp_path: Path):
    tub = Tub.open(write_tub(tmp_path / "tub", deleted=(2, 5)))
    assert tub.fields["cam/image_array"] == "image_array"
    assert [r.index for r in tub] == [0, 1, 3, 4, 6]
    assert [r.fields["user/angle"] for r in tub] == [0.0, 0.1, 0.3, 0.4, 0.6]
    for found, frame in tub.frames():
        assert frame.dtype == np.uint8
        np.testing.assert_array_equal(frame, pixels(found.index))


def test_a_walk_reads_no_further_than_it_goes(tmp_path: Path):
    folder = write_tub(tmp_path / "tub")
    records = Tub.open(folder).records()
    assert next(records).index == 0
    (folder / "catalog_1.catalog").unlink()
    assert [next(records).index, next(records).index] == [1, 2]
    with pytest.raises(FileError, match=r"catalog_1\.catalog"):
        next(records)


def test_runs(tmp_path: Path):
    tub = Tub.open(write_tub(tmp_path / "tub", deleted=(3,)))
    assert [r.index for r in tub.run(4, 3)] == [1, 2, 4]
    assert [r.index for r in tub.run(0, 1)] == [0]
    assert [r.index for r in tub.run(COUNT - 1, 6)] == [0, 1, 2, 4, 5, 6]
    for index, count, words in ((3, 1, "deleted"), (COUNT, 1, "not in it"), (1, 3, "2 records")):
        with pytest.raises(InputError, match=words):
            tub.run(index, count)


def test_damaged_records_are_counted_and_left_out(tmp_path: Path):
    folder = write_tub(tmp_path / "tub")
    good = json.dumps(record(0))
    damaged = (
        "{", "[]", "7", "null", '{"_index": 1}', json.dumps(record(-1)), json.dumps(record(1, _index="1")),
        json.dumps(record(1, _index=True)), json.dumps(record(1) | {"cam/image_array": 5}), "[" * 100_000,
        json.dumps(record(1, note="x" * LONGEST_LINE)), "\x00", "9" * 5000, json.dumps(record(2**63)),
        json.dumps(record(10**30)),
    )  # fmt: skip
    rewrite(folder, good, *damaged, "", json.dumps(record(2)))
    assert walk(folder) == ([0, 2], len(damaged))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, None, 5), (1, None, 4), (3, None, 2), (3, 5, 0), (0, 3, 3), (5, 6, 1), (5, 7, 1), (7, None, 1), (7, 8, 0)],
)
def test_damaged_records_outside_a_range_are_not_counted(tmp_path: Path, start: int, end: int | None, expected: int):
    """Records 0 to 2, 5 and 8 are damaged, and so is 4, which was deleted."""
    folder = write_tub(tmp_path / "tub")
    lines = ["{" if i in (0, 1, 2, 4, 5, 8) else json.dumps(record(i)) for i in range(9)]
    rewrite(folder, *lines)
    write_manifest(folder, paths=["catalog_0.catalog"], deleted_indexes=[4])
    records = Tub.open(folder).records(start, end)
    assert [r.index for r in records] == [i for i in (3, 6, 7) if start <= i < (end or 9)]
    assert records.damaged == expected


def test_the_largest_number_of_a_record(tmp_path: Path):
    folder = write_tub(tmp_path / "tub")
    rewrite(folder, json.dumps(record(2**63 - 1)))
    assert walk(folder) == ([2**63 - 1], 0)


@pytest.mark.parametrize("name", ["c" * 300, "d" * 300 + "/catalog"])
def test_a_catalog_with_a_name_that_is_too_long_is_not_there(tmp_path: Path, name: str):
    folder = write_tub(tmp_path / "tub")
    write_manifest(folder, paths=[name])
    with pytest.raises(FileError, match="is not there"):
        next(Tub.open(folder).records())


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "../../tub2/a.png", "a\x00b", "..", "link/x.png"])
def test_pictures_outside_are_no_pictures_of_the_tub(tmp_path: Path, name: str):
    folder = write_tub(tmp_path / "tub")
    (folder / "images/link").symlink_to("/tmp")
    rewrite(folder, json.dumps(record(0) | {"cam/image_array": name}), json.dumps(record(1)))
    indexes, damaged = walk(folder)
    if damaged == 0:  # ".." stays in the tub, and is no picture
        assert [r.index for r, _ in Tub.open(folder).frames()] == [1]
    else:
        assert (indexes, damaged) == ([1], 1)


def test_frames_leave_out_what_is_no_picture(tmp_path: Path):
    folder = write_tub(tmp_path / "tub")
    (folder / "images/1_cam_image_array_.png").write_bytes(b"no picture")
    (folder / "images/2_cam_image_array_.png").unlink()
    assert [r.index for r, _ in Tub.open(folder).frames()] == [0, 3, 4, 5, 6]


@pytest.mark.parametrize("paths", [["../other/catalog_0.catalog"], ["/etc/passwd"], "catalog_0.catalog", [1], None])
def test_a_manifest_that_leads_outside_or_nowhere(tmp_path: Path, paths: object):
    folder = write_tub(tmp_path / "tub")
    write_manifest(folder, paths=paths)
    with pytest.raises(FileError, match="damaged"):
        Tub.open(folder)


@pytest.mark.parametrize(
    "text", ["", "{}\n" * 5, "[\n" * 5, "[]\n[]\n{}\n{}\n", "\xff", "[" * 100_000 + "\n" * 5, "1\n" * 9]
)
def test_a_damaged_manifest(tmp_path: Path, text: str):
    folder = write_tub(tmp_path / "tub")
    (folder / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(FileError, match="damaged"):
        Tub.open(folder)


def test_what_is_no_tub(tmp_path: Path):
    for path in (tmp_path, tmp_path / "absent", tmp_path / "a\x00b"):
        with pytest.raises(FileError):
            Tub.open(path)
    (tmp_path / "record_1.json").write_text("{}")
    with pytest.raises(FileError, match="convert"):
        Tub.open(tmp_path)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bytes_give_records_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, manifest: bytes, lines: bytes):
    folder = tmp_path_factory.mktemp("tub")
    (folder / "images").mkdir()
    for text in (manifest, b'[]\n[]\n{}\n{}\n{"paths": ["c"]}\n'):
        (folder / "manifest.json").write_bytes(text)
        (folder / "c").write_bytes(lines)
        with contextlib.suppress(FileError):
            assert all(r.image.is_relative_to(folder.resolve()) for r in Tub.open(folder))
