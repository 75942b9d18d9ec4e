"""`fastact bench` on a GPU: device events, copies apart, a peak by data sheet. Kernels here do nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import jsonschema
import pytest
from cuda_device import fake_device
from fake_driver import FakeDriver

import fastact
from fastact import samples
from fastact.bench import measure as measuring
from fastact.bench import words
from fastact.bench.compare import compare
from fastact.bench.html import html
from fastact.bench.markdown import markdown
from fastact.bench.measure import Request, measure
from fastact.bench.peers.rivals import RIVALS
from fastact.bench.project import BOARDS
from fastact.bench.reading import read_report
from fastact.bench.result import Report, to_json
from fastact.engines import cuda
from fastact.errors import InputError
from fastact.kernels.cuda import catalog
from fastact.kernels.cuda.device import Device

SCHEMA = json.loads((Path(measuring.__file__).parent / "report.schema.json").read_text())
SIZES = ((60, 80), (90, 120))
LAYERS = ["Conv2D_First_layer", "Conv2D_Second_layer"]


@pytest.fixture
def fake(tmp_path, monkeypatch) -> FakeDriver:
    made, gpu = fake_device(tmp_path, kernels=dict.fromkeys(catalog.KERNELS, lambda *arguments: None))
    monkeypatch.setattr(cuda, "open_device", lambda: gpu)
    return made


@pytest.fixture
def report(fake: FakeDriver) -> Report:
    return measured()


def measured(device: str = "cuda", **others: object) -> Report:
    model = fastact.load(samples.pilot())
    return measure(Request(model, SIZES, LAYERS, seconds=0.1, device=device, **others)).report  # type: ignore[arg-type]


def test_a_report(report: Report) -> None:
    assert report.device == "cuda"
    assert report.gpu is not None
    assert (report.gpu.name, report.gpu.capability, report.gpu.driver) == ("H200", "9.0", "12.4")
    assert report.peak == pytest.approx(2 * 132 * 128 * 1.98e9)  # 66.9 TFLOP/s, as NVIDIA's data sheet has it
    assert report.ability is None
    assert report.exponent() is None
    assert report.layers_clock == "device"
    for size in report.sizes:
        assert [layer.names for layer in size.layers] == [(name,) for name in LAYERS]
        assert size.copies is not None
        # The driver's clock goes on by a quarter of a millisecond an event, and by one a launch.
        assert size.copies.upload.median < 1e-3
        assert size.copies.download.median < 1e-3
        assert all(layer.times.median == pytest.approx(1.25e-3) for layer in size.layers)
    jsonschema.validate(json.loads(to_json(report)), SCHEMA)


def test_it_is_said(report: Report, tmp_path: Path) -> None:
    text = markdown(report)
    assert "with the GPU H200, a frame of 120x90 takes" in text
    assert "66,908 GFLOP/s in float32, by its data sheet" in text
    assert "copying the frame to the GPU, counted in" in text
    assert "of the GPU's peak" in text
    assert "The maps stay on the GPU; copying all of them from it, not counted above" in text
    assert "CPU time grows" not in text
    assert "GPU&#39;s own events" in html(report) or "GPU's own events" in html(report)
    path = tmp_path / "report.json"
    path.write_text(to_json(report))
    assert read_report(path) == report
    assert {row[-1] for row in compare(report, report).table.rows} == {"no difference"}


def test_a_clock_that_is_not_said(report: Report) -> None:
    assert report.gpu is not None
    unknown = dataclasses.replace(report, gpu=dataclasses.replace(report.gpu, clock=0.0))
    assert unknown.peak is None
    assert any("shares of its peak are left out" in note for note in words.notes(unknown))
    assert "of the GPU's peak" not in markdown(unknown)


def test_auto_takes_the_gpu(fake: FakeDriver) -> None:
    assert measured("auto").device == "cuda"


def test_auto_takes_the_cpu_for_all_sizes_where_one_does_not_fit(fake: FakeDriver, monkeypatch) -> None:
    require = Device.require

    def small(self: Device, size: int, what: str) -> None:
        require(self, size if size < 200_000 else 1 << 50, what)

    monkeypatch.setattr(Device, "require", small)
    report = measured("auto")
    assert report.device == "cpu"
    assert report.gpu is None
    assert report.ability is not None
    assert report.sizes[0].copies is None


@pytest.mark.parametrize("others", [{"rivals": RIVALS[:1]}, {"boards": BOARDS[:1]}])
def test_other_engines_and_boards_are_cpus(fake: FakeDriver, others: dict[str, object]) -> None:
    with pytest.raises(InputError, match="leave out --peers and --project"):
        measured(**others)


def test_reports_of_older_forms_are_read(report: Report, tmp_path: Path) -> None:
    old = json.loads(to_json(measured("cpu")))
    new = json.loads(json.dumps(old))
    old["version"] = 2
    for size in old["sizes"]:
        for layer in size["layers"]:
            del layer["multiplied"]
    oldest = json.loads(json.dumps(old))
    oldest["version"] = 1
    del oldest["device"], oldest["gpu"]
    for size in oldest["sizes"]:
        del size["copies"]
    for name, value in (("oldest", oldest), ("old", old), ("new", new)):
        (tmp_path / name).write_text(json.dumps(value))
    assert read_report(tmp_path / "oldest") == read_report(tmp_path / "old") == read_report(tmp_path / "new")


def test_the_command(fake: FakeDriver, run, tmp_path: Path) -> None:
    result = run("bench", samples.pilot(), "--sizes", "80x60", "-l", LAYERS[0], "--seconds", "0.1", "--device", "cuda")
    assert result.status == 0, result.err
    assert "with the GPU H200" in result.out
    written = json.loads((tmp_path / "fastact-bench" / "report.json").read_text())
    assert (written["device"], written["gpu"]["name"]) == ("cuda", "H200")
    assert "GPU" in (tmp_path / "fastact-bench" / "report.html").read_text()
