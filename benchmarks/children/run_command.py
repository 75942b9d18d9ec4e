"""fastact's command: what `fastact extract --save npz` runs."""

import sys

from fastact.__main__ import program

path, picture, out, rows, columns = sys.argv[1:]
size = f"{columns}x{rows}"
sys.argv[1:] = ["extract", "--model", path, "--image", picture, "--input", size, "--save", "npz", "--out", out]
program()
