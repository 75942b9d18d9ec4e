"""CUDA kernels: Python functions that Numba compiles to PTX ahead of time, and the driver alone to run them.

launch       what an encoder gives: a kernel's name, its blocks and its arguments
encode       how an operation becomes launches (addresses and integers); `fusion` puts two into one before
tiles        which tiles of a convolution there are, and the choice among them
code         the kernels, written in Python; only what compiles or simulates them loads Numba
catalog      every kernel by name: its function, its parameters, its threads
boards       what a GPU has: multiprocessors, registers, shared memory
occupancy    how many blocks of a kernel a multiprocessor holds at once
ceilings     launches that show what a GPU can do at most
build        Numba compiles the catalog to PTX; needs no GPU
search       finds the PTX for a GPU, or has it built; `ship` builds it for a wheel
driver       NVIDIA's driver through ctypes: `symbols` has its functions, `errors` what they say
device       a GPU: what it has, its context, its memory; `modules` loads kernels
runner       launches run on batches of frames: `slot` holds a batch's buffers, `packing` arguments and weights
"""
