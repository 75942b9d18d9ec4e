"""Measures fastact beside its rivals, from the repository's root.

    python -m benchmarks.peers          one frame, warm: time, GFLOP/s, share of the core's peak
    python -m benchmarks.process        a whole process: time and memory
    python -m benchmarks.layers         where the time of a frame goes, step by step
    python -m benchmarks.peak           the most one core can do
    python -m benchmarks.report         the two tables of the README; --write README.md puts them there

Every engine's maps are compared with fastact's before it is timed. `pip install 'fastact[bench]'` brings ONNX
Runtime; other engines are measured where they are installed.
"""
