"""Compiled CPU kernels: one native call walks a table of steps.

steps        how an operation becomes rows of the table (addresses and integers)
tiles        which register tiles exist for which vector registers, and the choice among them
microkernel  the convolution's inner loop, as LLVM vector IR
simd         intrinsics: memory by address
conv, move, pointwise, summary
             the kernels' loops, written in Python
team         the walk along a table by several threads, and their barrier
catalog      every kernel by the name it is exported under
levels       the instruction sets there are kernels for, and which of them this CPU has
build, ship  Numba and LLVM compile the catalog: for this machine, or for every machine a wheel is for
search       finds what is compiled, or has it built
library      compiled kernels in this process
threads      starts and stops teams
control, bins
             the layout of memory that compiled code shares with what calls it
"""
