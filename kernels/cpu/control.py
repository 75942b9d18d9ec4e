"""The control block a team of threads shares: where things stand in it, as numbers of int64.

team.py, which Numba compiles, and threads.py, which must not load Numba, read it by these names. What members write
lies on cache lines of its own.
"""

SIZE, SEM_WAIT, SEM_POST, YIELD, SEMAPHORES, TABLE, STEPS, STOP = range(8)
JOB, ARRIVED, MEETING, WORDS = 16, 32, 48, 64

SEMAPHORE_BYTES = 64
"""What a semaphore of the C library gets, a cache line; they lie behind the block, one a member."""
