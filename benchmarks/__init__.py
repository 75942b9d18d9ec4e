"""Measures fastact beside its rivals, from the repository's root.

    python -m benchmarks.report         everything below beside the rivals, in one table; writes the README's
    python -m benchmarks.peers          one frame, warm: time, share of the cores' peak, ratio to fastact
    python -m benchmarks.process        a whole process: time and memory
    python -m benchmarks.layers         where the time of a frame goes, step by step
    python -m benchmarks.peak           the most one core can do
    python -m benchmarks.exactness      how far maps are from exact ones, beside TensorFlow's; writes docs/exactness.md
    python -m benchmarks.tiles          every tile over the table of shapes, and which the planner takes

The engines and the measuring are in `fastact/bench/peers/`, which `fastact bench --peers` uses, too.

Every engine's maps are compared with fastact's before it is timed. `pip install 'fastact[bench]'` brings ONNX
Runtime; other engines are measured where they are installed.
"""
