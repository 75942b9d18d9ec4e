"""Compiled CPU kernels: one native entry walks a table of steps.

steps     how an operation becomes rows of the table (addresses and integers)
tiles     which register tiles exist for which vector registers, and the choice among them
simd      intrinsics: memory by address, and the convolution's micro-kernel as LLVM vector IR
conv, pool, move, pointwise
          the loops, one function an operation code, written in Python
entry     the function that walks the table
build     Numba compiles the entry to an object file: flags and targets are decided there
library   finds the compiled entry, or has it built, and calls it
"""
