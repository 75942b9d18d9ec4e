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

from benchmarks import layers, peers, process, report  # noqa: E402
from benchmarks.cases import Case, frame, parse_size  # noqa: E402
from benchmarks.chain import chain_of  # noqa: E402
from benchmarks.common import BenchmarkError, replace_file  # noqa: E402
from benchmarks.engines import ONNX_RUNTIME, RIVALS, Rival, ours  # noqa: E402
from benchmarks.pair import measure  # noqa: E402
from fastact import samples  # noqa: E402

needs_onnx_runtime = pytest.mark.skipif(
    any(importlib.util.find_spec(m) is None for m in ("onnx", "onnxruntime")),
    reason="onnx and onnxruntime are not installed: pip install 'fastact[bench]'",
)


@pytest.fixture(scope="module")
def case() -> Case:
    return Case(samples.pilot())


class Fake:
    """fastact again, its maps changed by `wrong` before they are shown."""

    version = "0"

    def __init__(self, case: Case, wrong=lambda maps: maps) -> None:
        model = case.model()
        self._engine = ours.Engine(model, frame(chain_of(model).input_shape))
        self._wrong = wrong
        self.calls = 0

    def run(self):
        self.calls += 1
        return self._engine.run()

    def maps(self, result):
        return self._wrong([m.copy() for m in self._engine.maps(result)])


def spoilt(maps):
    maps[3][1, 2, 5] += 2e-5 * np.abs(maps[3]).max()
    return maps


def not_a_number(maps):
    maps[0][0, 0, 0] = np.nan
    return maps


@needs_onnx_runtime
def test_peers_measures_onnx_runtime_beside_fastact_and_writes_every_figure(tmp_path):
    out = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks.peers", "--engine", ONNX_RUNTIME.name, "--rounds", "3"]
    done = subprocess.run([*command, "--json", str(out)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr  # which of the two is faster in three rounds is not tested
    found = json.loads(out.read_text(encoding="utf-8"))
    assert [c["case"].rpartition(" ")[2] for c in found["cases"]] == ["160x120", "640x360"]
    for measured in found["cases"]:
        assert [e["engine"] for e in measured["engines"]] == ["fastact", ONNX_RUNTIME.name]
        assert measured["not_measured"] == {}
        for engine in measured["engines"]:
            assert 0 < engine["minimum"] <= engine["median"]
            assert 0 < engine["gflops"] < 1.2 * engine["peak"]
        assert 0 < measured["engines"][1]["difference"] < 1e-5


def test_the_work_of_the_article_s_network(case):
    first, *rest = chain_of(case.model()).convs
    assert first.shape == (58, 78, 12)
    assert [c.shape[2] for c in rest] == [24, 48, 64, 64]
    at_large = chain_of(Case(case.path, (360, 640)).model())
    assert at_large.convs[-1].shape == (9, 18, 64)
    assert chain_of(case.model()).flops == 2 * sum(  # multiply-adds as two
        rows * columns * filters * size
        for (rows, columns, filters), size in [
            ((58, 78, 12), 75), ((27, 37, 24), 300), ((12, 17, 48), 600), ((5, 8, 64), 432), ((2, 3, 64), 576),
        ]
    )  # fmt: skip


def test_a_pair_is_timed_in_turns(case):
    engine, rival, bursts = Fake(case), Fake(case), iter([50.0, 70.0] * 10)
    names = [c.name for c in chain_of(case.model()).convs]
    pair = measure(names, engine, rival, 4, lambda: next(bursts))
    assert len(pair.ours) == len(pair.rival) == 4
    assert min(pair.ours + pair.rival) > 0
    assert (pair.difference, pair.peak) == (0.0, 70.0)
    assert engine.calls == rival.calls


@pytest.mark.parametrize("wrong", [spoilt, not_a_number, lambda m: m[:-1], lambda m: [x[:1] for x in m]])
def test_an_engine_whose_maps_differ_is_not_timed(case, wrong):
    rival = Fake(case, wrong)
    names = [c.name for c in chain_of(case.model()).convs]
    with pytest.raises(BenchmarkError, match="map"):
        measure(names, Fake(case), rival, 10, lambda: 1.0)
    assert rival.calls == 1


def test_a_rival_with_wrong_maps_fails_the_command(case, tmp_path, monkeypatch, capsys):
    (tmp_path / "wrong_rival.py").write_text(
        "import numpy as np\n"
        "class Engine:\n"
        "    version = '1'\n"
        "    def __init__(self, chain, frame):\n"
        "        self.chain = chain\n"
        "    def run(self):\n"
        "        return [np.zeros(c.shape, np.float32) for c in self.chain.convs]\n"
        "    def maps(self, result):\n"
        "        return result\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{tmp_path}")
    rival = Rival("Wrong", "wrong_rival", "numpy", ("numpy",))
    assert peers.main(["--model", str(case.path), "--rounds", "3"], [rival]) == 1
    told = capsys.readouterr().out
    assert "Wrong: not measured: the maps of 'Conv2D_First_layer' differ by" in told


def row(engine: str, ratio: float) -> peers.Row:
    return peers.Row(engine, "1.0", 0.4, 0.5, 90.0, 120.0, ratio, 1e-7)


def result(*rows: peers.Row, failed: dict[str, str] | None = None) -> peers.Result:
    return peers.Result("pilot.h5 at 160x120", 36_000_000, 100, rows, failed or {})


def test_the_verdict_is_that_of_the_paired_ratios():
    quick, slow = row(ONNX_RUNTIME.name, 1.01), row(ONNX_RUNTIME.name, 0.99)
    assert peers.verdict([result(row("fastact", 1.0), quick)])[0] == 0
    status, why = peers.verdict([result(row("fastact", 1.0), quick), result(row("fastact", 1.0), slow)])
    assert status == 1
    assert "slower than ONNX Runtime: pilot.h5 at 160x120 (0.99)" in why
    assert peers.verdict([result(row("fastact", 1.0), row("LiteRT", 2.0))])[0] == 2
    assert peers.verdict([result(row("fastact", 1.0), quick, failed={"LiteRT": "no"})])[0] == 1


def test_rivals_that_are_not_installed_are_listed_with_what_installs_them():
    rival = dataclasses.replace(RIVALS[1], imports="a_module_nobody_has")
    assert peers.absent([rival]) == "not installed: LiteRT (pip install ai-edge-litert)"
    with pytest.raises(BenchmarkError, match="pip install ai-edge-litert"):
        peers.main([], [rival])


def test_a_size_the_convolutions_do_not_fit_is_refused(case):
    with pytest.raises(BenchmarkError, match=r"Conv2D_Second_layer.*at this size"):
        chain_of(Case(case.path, (5, 5)).model())


def test_a_model_that_is_no_chain_is_refused(case):
    model = case.model()
    nodes = list(model.nodes)
    nodes[3] = dataclasses.replace(nodes[3], inputs=(0,))
    with pytest.raises(BenchmarkError, match=r"Conv2D_Second_layer.*not in one"):
        chain_of(dataclasses.replace(model, nodes=tuple(nodes)))


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


@needs_onnx_runtime
def test_a_process_that_saves_wrong_maps_is_not_reported(case, monkeypatch):
    from benchmarks.formats import onnx_file

    def other_weights(chain):
        first = dataclasses.replace(chain.convs[0], bias=chain.convs[0].bias + np.float32(0.1))
        return right(dataclasses.replace(chain, convs=(first, *chain.convs[1:])))

    right = onnx_file.onnx_model
    monkeypatch.setattr(onnx_file, "onnx_model", other_weights)
    chosen = [p for p in process.PROGRAMS if p.engine.name in ("fastact", "ONNX Runtime")]
    made = process.measure(case, chosen, 1)
    assert [r.engine for r in made.rows] == ["fastact"]
    assert "differ by" in made.failed["ONNX Runtime"]


def test_layers_accounts_for_every_step(case, capsys):
    model = case.model()
    wanted = [n.name for n in model.nodes if n.is_convolution]
    peak = types.SimpleNamespace(burst=lambda: 100.0)
    made, whole, speed = layers.Stepper(model, wanted, True).time(2, peak)
    assert [s.layer for s in made if s.flops] == sorted((s.layer for s in made if s.flops), key=wanted.index)
    assert {s.layer for s in made} == {"scratch", *wanted}  # the conversion from bytes is scratch
    for name in wanted:
        assert sum(s.flops for s in made if s.layer == name) >= 2 * model.costs[name].multiply_adds
    assert speed == 100.0
    assert whole > 0
    assert "u8_f32_scale" in layers.text(model, made, whole, speed)


def test_figures_go_between_the_marks_and_nothing_else_changes(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"# Title\n\n{report.BEGIN}\nold\n{report.END}\n\nafter é\n", encoding="utf-8")
    frames = [result(row("fastact", 1.0), row(ONNX_RUNTIME.name, 1.2))]
    processes = [process.Result("pilot.h5 at 160x120", 7, (process.Row("fastact", "0.1.0", 0.25, 45e6),), {})]
    made = report.figures(frames, processes, "python -m benchmarks.report --write README.md")
    replace_file(readme, report.written(report.read(readme), made, "README.md"))
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(f"# Title\n\n{report.BEGIN}\n")
    assert text.endswith(f"\n{report.END}\n\nafter é\n")
    assert "old" not in text
    assert "| ONNX Runtime | 0.40 | 1.20 | 75% |" in text
    assert "| fastact | 0.25 s, 45 MB |" in text
    assert "`python -m benchmarks.report --write README.md`" in text
    assert [p.name for p in tmp_path.iterdir()] == ["README.md"]
    assert report.written(text, made, "README.md") == text


@pytest.mark.parametrize("text", ["", report.BEGIN, f"{report.END}\n{report.BEGIN}", f"{report.BEGIN}{report.END}" * 2])
def test_a_file_without_the_marks_is_refused_before_anything_is_measured(tmp_path, text, monkeypatch):
    readme = tmp_path / "README.md"
    readme.write_text(text, encoding="utf-8")
    monkeypatch.setattr(peers, "measure", lambda *_: pytest.fail("measured"))
    with pytest.raises(BenchmarkError, match="figures: begin"):
        report.main(["--write", str(readme)])
    assert readme.read_text(encoding="utf-8") == text


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(BenchmarkError, match="cannot be written"):
        replace_file(tmp_path / "absent" / "figures.json", "{}")
