"""The measuring commands measure, refuse what is wrong, and write their tables whole."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # benchmarks is run from the repository, not installed

from cases import MEASURED_CONVOLUTIONS  # noqa: E402

from benchmarks import encoding, layers, networks, pairs, peers, process, report, tiles  # noqa: E402
from benchmarks.cases import Case, parse_size  # noqa: E402
from benchmarks.common import BenchmarkError, replace_file  # noqa: E402
from benchmarks.recorder import model_of, write_h5  # noqa: E402
from fastact import load, samples  # noqa: E402
from fastact.bench.peers.network import Conv, Network  # noqa: E402
from fastact.bench.peers.rivals import ONNX_RUNTIME, RIVALS, Rival, absent  # noqa: E402
from fastact.kernels.cpu import library  # noqa: E402
from fastact.kernels.cpu.tiles import TILES  # noqa: E402

needs_onnx_runtime = pytest.mark.skipif(
    not ONNX_RUNTIME.installed, reason="onnx and onnxruntime are not installed: pip install 'fastact[bench]'"
)


@pytest.fixture(scope="module")
def case() -> Case:
    return Case(samples.pilot())


@pytest.fixture(scope="module")
def network(case):
    return case.network(case.model())


@needs_onnx_runtime
def test_peers_measures_onnx_runtime_beside_fastact_and_writes_every_figure(tmp_path):
    out = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks.peers", "--engine", ONNX_RUNTIME.name, "--rounds", "3"]
    command += ["--size", "160x120", "--threads", "1", "--threads", "2", "--json", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr  # which of the two is faster in three rounds is not tested
    found = json.loads(out.read_text(encoding="utf-8"))["cases"]
    assert [(c["threads"], c["label"].rpartition(" ")[2], c["frame"]) for c in found] == [
        (threads, "160x120", frame) for threads in (1, 2) for frame in peers.FRAMES
    ]
    for measured in found:
        assert [e["engine"] for e in measured["rows"]] == ["fastact", ONNX_RUNTIME.name]
        assert measured["failed"] == {}
        own, rival = measured["rows"]
        for engine in (own, rival):
            assert 0 < engine["minimum"] <= engine["median"]
            assert 0 < engine["share"] < 5  # the peak, too, is measured beside whatever else the machine does
        assert own["ratio"] == 1.0
        assert 0 < rival["difference"] < 1e-5
        assert rival["quartiles"][0] <= rival["ratio"] <= rival["quartiles"][1]
        assert bool(rival["way"]) == (measured["frame"] == "uint8")


def test_the_work_of_the_article_s_network(case, network):
    first, *rest = network.steps
    assert first.shape == (58, 78, 12)
    assert [c.shape[2] for c in rest] == [24, 48, 64, 64]
    large = Case(case.path, (360, 640))
    assert large.network(large.model()).steps[-1].shape == (9, 18, 64)
    assert network.flops == 2 * sum(  # multiply-adds as two
        rows * columns * filters * size
        for (rows, columns, filters), size in [
            ((58, 78, 12), 75), ((27, 37, 24), 300), ((12, 17, 48), 600), ((5, 8, 64), 432), ((2, 3, 64), 576),
        ]
    )  # fmt: skip


WRONG = """
import os, sys
import numpy as np
class Engine:
    version = "1"
    def __init__(self, network, frame, threads, inside):
        print("libraries print what they like")
        self.network = network
        if "{what}" == "dies":
            os.write(2, b"Killed by a bug\\n")
            os._exit(3)
        if "{what}" == "raises":
            raise ValueError("no such padding")
    def run(self):
        return [np.zeros(s.shape, np.float32) for s in self.network.wanted]
    def maps(self, result):
        return result
"""


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("wrong", "the maps of 'Conv2D_First_layer' differ by"),
        ("raises", "no such padding"),
        ("dies", "Killed by a bug"),
        ("absent", "No module named 'wrong_rival'"),
    ],
)
def test_a_rival_that_fails_is_named_and_fails_the_command(case, tmp_path, monkeypatch, capsys, what, told):
    if what != "absent":
        (tmp_path / "wrong_rival.py").write_text(WRONG.replace("{what}", what), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{tmp_path}")
    rival = Rival("Wrong", "wrong_rival", ("numpy",), ("numpy",))
    options = ["--model", str(case.path), "--rounds", "3", "--threads", "1", "--frame", "float32"]
    assert peers.main(options, [rival]) == 1
    assert f"Wrong is not measured on pilot_160x120.h5 at 160x120, float32, 1 thread: {told}" in capsys.readouterr().out


def row(engine: str, ratio: float) -> peers.Row:
    return peers.Row(engine, "1.0", 0.4, 0.5, 0.75, ratio, (ratio - 0.01, ratio + 0.01), 1e-7, "")


def result(*rows: peers.Row, failed: dict[str, str] | None = None, threads: int = 1, **other) -> peers.Result:
    named = {"label": "article's network at 160x120", "frame": "float32"} | other
    return peers.Result(threads=threads, flops=36_000_000, rounds=100, peak=1, rows=rows, failed=failed or {}, **named)


def test_the_verdict_is_that_of_the_paired_ratios_on_one_thread():
    quick, slow = row(ONNX_RUNTIME.name, 1.01), row(ONNX_RUNTIME.name, 0.99)
    own = row("fastact", 1.0)
    assert peers.verdict([result(own, quick), result(own, slow, threads=2)])[0] == 0
    status, why = peers.verdict([result(own, quick), result(own, slow)])
    assert status == 1
    assert "slower than ONNX Runtime: article's network at 160x120, float32, 1 thread (0.99)" in why
    assert peers.verdict([result(own, row("LiteRT", 2.0))])[0] == 2
    assert peers.verdict([result(own, quick, threads=2)])[0] == 2
    assert peers.verdict([result(own, quick, failed={"LiteRT": "no"})])[0] == 1


def test_rivals_that_are_not_installed_are_listed_with_what_installs_them():
    rival = dataclasses.replace(RIVALS[1], imports=("a_module_nobody_has",))
    assert absent([rival, rival]) == "not installed: LiteRT (pip install 'fastact[bench]')"
    with pytest.raises(BenchmarkError, match=r"pip install 'fastact\[bench\]'"):
        peers.main([], [rival])


def test_what_is_written_down_is_a_model_file(tmp_path):
    path = write_h5(networks.linear_pilot, tmp_path / "linear.h5")
    config, made = model_of(networks.linear_pilot)
    model = load(path)
    assert [n.name for n in model.nodes] == [layer["name"] for layer in config["config"]["layers"]]
    assert [n.name for n in model.nodes if n.reason] == []
    assert model.outputs == ("n_outputs0", "n_outputs1")
    for a, b in zip(model.nodes, made.nodes, strict=True):
        assert a.shape == b.shape
        for name, weight in (a.layer.weights if a.layer else {}).items():
            assert np.array_equal(weight, b.layer.weights[name])


def test_mobilenet_is_the_one_of_keras(keras_named):
    keras = keras_named("keras")
    theirs = keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None)
    ours = networks.mobilenet_v2(keras)
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    described = [
        [(type(layer).__name__, tuple(layer.output.shape)) for layer in model.layers] for model in (ours, theirs)
    ]
    assert described[0] == described[1]
    assert networks.unet(keras).output_shape == (None, 128, 128, 1)
    strides = [[layer.strides for layer in m.layers if hasattr(layer, "strides")] for m in (ours, theirs)]
    assert strides[0] == strides[1]


@pytest.mark.parametrize("text", ["640", "0x10", "axb", "10x-2", ""])
def test_a_size_is_width_x_height(text):
    assert parse_size("640x360") == (360, 640)
    with pytest.raises(BenchmarkError, match="width x height"):
        parse_size(text)


def test_a_whole_process_is_timed_and_weighed(case):
    made = process.measure(case, process.PROGRAMS[:1], 1)
    (only,) = made.rows
    assert 0.05 < only.seconds < 60
    assert 20e6 < only.memory < 400e6


def changed_bias(network: Network) -> Network:
    """`network` with the bias of its first convolution changed: what a check must notice."""
    first, *rest = network.steps
    assert isinstance(first, Conv)
    return dataclasses.replace(network, steps=(dataclasses.replace(first, bias=first.bias + np.float32(0.1)), *rest))


@needs_onnx_runtime
def test_a_process_that_saves_wrong_maps_is_not_reported(case, monkeypatch):
    from fastact.bench.peers.formats import onnx_file

    right = onnx_file.onnx_model
    monkeypatch.setattr(onnx_file, "onnx_model", lambda network: right(changed_bias(network)))
    chosen = [p for p in process.PROGRAMS if p.engine.name in ("fastact", "fastact extract --save npz", "ONNX Runtime")]
    made = process.measure(case, chosen, 1)
    assert [r.engine for r in made.rows] == ["fastact", "fastact extract --save npz"]
    assert made.rows[0].ratio == 1.0
    assert "differ by" in made.failed["ONNX Runtime"]


def test_layers_accounts_for_every_step(case, capsys):
    model = case.model()
    wanted = [n.name for n in model.nodes if n.is_convolution]
    peak = types.SimpleNamespace(burst=lambda: 100.0)
    made, whole, speed = layers.Stepper(model, wanted, True).time(2, peak)
    assert list(dict.fromkeys(name for s in made for name in s.layers)) == wanted
    for layers_together in {s.layers for s in made}:
        needed = sum(2 * model.costs[name].multiply_adds for name in layers_together)
        of_these = [s for s in made if s.layers == layers_together]
        if any("paired" in s.kernel for s in of_these):
            needed *= 0.7  # three products for two pixels where there were four or more
        assert needed <= sum(s.flops for s in of_these) <= 1.5 * needed
    assert speed == 100.0
    assert whole > 0
    assert "u8_f32_scale" in layers.text(model, made, whole, speed)


def test_figures_go_between_the_marks_and_nothing_else_changes(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"# Title\n\n{report.BEGIN}\nold\n{report.END}\n\nafter é\n", encoding="utf-8")
    own, rival = row("fastact", 1.0), row(ONNX_RUNTIME.name, 1.2)
    frames = [
        result(own, rival),
        result(own, rival, threads=2),
        result(own, rival, frame="uint8"),
        result(own, label="U-Net at 128x128"),
    ]
    one = process.Row("fastact", "0.1.0", 0.2, 0.25, 45e6, 1.0, (1.0, 1.0))
    processes = [process.Result("article's network at 160x120", 7, (one,), {})]
    made = report.Figures(frames, processes, "python -m benchmarks.report --write README.md")
    replace_file(readme, report.written(report.read(readme), report.readme(made), "README.md"))
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(f"# Title\n\n{report.BEGIN}\n")
    assert text.endswith(f"\n{report.END}\n\nafter é\n")
    assert "old" not in text
    assert "| engine | 160x120, 1 thread | 160x120, 2 threads |" in text
    assert "| fastact | 0.40 (75% of peak) | 0.40 (75% of peak) |" in text
    assert "| ONNX Runtime | 0.40 (1.20x) | 0.40 (1.20x) |" in text
    assert "| engine | article's network at 160x120, uint8 | U-Net at 128x128 |" in text
    assert "| ONNX Runtime | 1.20 |  |" in text
    assert "| fastact | 0.25 s, 45 MB |" in text
    assert "`python -m benchmarks.report --write README.md`" in text
    assert [p.name for p in tmp_path.iterdir()] == ["README.md"]
    assert report.written(text, report.readme(made), "README.md") == text
    details = report.details(made)
    assert details.count("| ONNX Runtime | 0.400 | 0.500 | 75% | 1.20 | 1.19-1.21 |  |") == 3
    assert "| article's network at 160x120 | whole process |  | fastact | 200 | 250 |  | 1.00 |  | 45 |" in details


@pytest.mark.parametrize("text", ["", report.BEGIN, f"{report.END}\n{report.BEGIN}", f"{report.BEGIN}{report.END}" * 2])
def test_a_file_without_the_marks_is_refused_before_anything_is_measured(tmp_path, text, monkeypatch):
    readme = tmp_path / "README.md"
    readme.write_text(text, encoding="utf-8")
    monkeypatch.setattr(report, "measured", lambda *_: pytest.fail("measured"))
    with pytest.raises(BenchmarkError, match="figures: begin"):
        report.main(["--write", str(readme)])
    assert readme.read_text(encoding="utf-8") == text


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(BenchmarkError, match="cannot be written"):
        replace_file(tmp_path / "absent" / "figures.json", "{}")


def test_nothing_is_written_where_an_engine_fails(tmp_path, monkeypatch, capsys):
    readme, details = tmp_path / "README.md", tmp_path / "benchmarks.md"
    readme.write_text(f"{report.BEGIN}\nold\n{report.END}\n", encoding="utf-8")
    failed = [result(row("fastact", 1.0), failed={"LiteRT": "the maps differ"})]
    monkeypatch.setattr(report, "measured", lambda options, command: report.Figures(failed, [], command))
    assert report.main(["--write", str(readme), "--details", str(details)]) == 1
    assert "LiteRT is not measured on article's network at 160x120, float32, 1 thread" in capsys.readouterr().out
    assert "old" in readme.read_text(encoding="utf-8")
    assert not details.exists()


def test_every_tile_that_fits_is_timed_beside_the_planner_s_choice():
    small = next(case for case in MEASURED_CONVOLUTIONS if case.id == "measured-article-5")  # 6 pixels, 64 filters
    kernels = library.load()
    made = tiles.measure(small, kernels, 0.1)
    fitting = {
        t.name.removeprefix("f32_nhwc_conv_") for t in TILES[kernels.registers] if t.pixels <= 6 and t.cluster == 1
    }
    assert set(made.alone) == fitting
    assert (made.pixels, made.filters) == (6, 64)
    assert min(made.alone.values()) > 0
    assert made.fastest in tiles.document([made], kernels.registers, "python -m benchmarks.tiles")


def test_pairs_of_pixels_are_timed_beside_one_by_one():
    cases = {case.id.removeprefix("measured-"): case for case in MEASURED_CONVOLUTIONS}
    name, products, one_by_one, in_pairs, faster, error, decided = pairs.measure(cases["linear-4"], 1.0)
    assert (name, products, decided) == ("linear-4", "0.67", "in pairs")
    assert float(faster) == pytest.approx(float(one_by_one) / float(in_pairs), rel=0.05)
    assert 0.5 < float(error) < 2
    assert pairs.measure(cases["article-2"], 0.1)[-1] == "one by one"  # of 12 channels
    assert pairs.measure(cases["article-4"], 0.1) is None  # three taps with a stride of two


@pytest.mark.parametrize("registers", TILES)
@pytest.mark.parametrize("filters", [1, 3, 12, 13, 24, 64, 100])
def test_a_tile_alone_computes_every_filter(registers, filters):
    for number, tile in enumerate(TILES[registers]):
        blocks = tiles.alone(TILES[registers], number, 1000, filters)
        computed = {
            b.first + i * b.stride + f
            for b in blocks or ()
            for i in range(b.count)
            for v in range(tile.vectors if tile.cluster == 1 else 1)
            for f in range(
                b.last if tile.cluster == 1 and v == tile.vectors - 1 else v * tile.width,
                (b.last if tile.cluster == 1 and v == tile.vectors - 1 else v * tile.width)
                + (tile.width if tile.cluster == 1 else filters),
            )
        }
        assert computed == (set(range(filters)) if blocks else set())


@pytest.mark.skipif(
    importlib.util.find_spec("pytest_benchmark") is None,
    reason="pytest-benchmark is not installed: pip install 'fastact[bench]'",
)
def test_the_suite_checks_what_it_times():
    command = [
        sys.executable,
        "-m",
        "pytest",
        "benchmarks/suite",
        "--benchmark-disable",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    command += ["-o", "python_files=bench_*.py", "-o", "python_functions=bench_*"]
    chosen = "article-5 or add or (linear and 160x120 and uint8) or whole_process or pass"
    done = subprocess.run([*command, "-k", chosen], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout


def test_settings_of_films(tmp_path):
    """Coarser settings make smaller files that are further from what was drawn; the setting in use stays."""
    rows, columns = np.mgrid[:64, :96]
    frames = [np.stack([rows + 4 * i, columns, rows ^ columns], axis=-1).astype(np.uint8) for i in range(6)]
    fine, coarse = ({"preset": "ultrafast", "crf": str(crf)} for crf in (10, 45))
    found = []
    for setting in (fine, coarse):
        assert encoding.encode(frames, tmp_path / "film.mp4", setting) > 0
        found.append(((tmp_path / "film.mp4").stat().st_size, encoding.nearness(frames, tmp_path / "film.mp4")))
    assert found[0] > found[1]
    assert found[0][1] > found[1][1]
    assert encoding.SETTINGS["fastact's"] == encoding.X264
