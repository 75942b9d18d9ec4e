"""Compiled CPU kernels: one native call walks a table of steps.

bands        which operations run together, strip by strip
encode       how an operation becomes rows of the table (addresses and integers)
steps, fields
             the table, and what stands where in a row
tiles        which register tiles exist for which vector registers, and the choice among them
pairing      which convolutions are computed in pairs of pixels, with fewer products, and by which weights
microkernel  the convolution's inner loop, as LLVM vector IR
simd, exponential
             intrinsics: memory by address; exp and its kin
conv, pairs, move, pointwise, pool, reduce, resample, summary, pixels, peak
             the kernels' loops, written in Python
team         the walk along a table by several threads, and their barrier
catalog      every kernel by the name it is exported under
levels       the instruction sets there are kernels for, and which of them this CPU has
build, ship  Numba and LLVM compile the catalog: for this machine, or for every machine a wheel is for
search       finds what is compiled, or has it built
library      compiled kernels in this process
threads      starts and stops teams
memory       what kernels work in, aligned
control, bins
             the layout of memory that compiled code shares with what calls it
"""
