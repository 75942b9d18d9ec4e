"""Kernels: arrays and integers only; no layer, file format or name of either is known here."""

if __name__ != "fastact.kernels":
    raise ImportError(
        "this folder is installed as fastact.kernels: run `pip install -e .` in the repository and import that instead"
    )
