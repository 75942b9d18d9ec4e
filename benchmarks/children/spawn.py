"""Runs a command and prints its wall time in seconds, its peak memory in bytes and its exit status, as JSON.

A program of its own with next to nothing imported, since Linux counts what a process used before it became another
program as that program's own: started from a process of 100 MB, nothing would seem to use less.
"""

import json
import os
import sys
import time

start = time.perf_counter()
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(process, 0)
seconds = time.perf_counter() - start
unit = 1 if sys.platform == "darwin" else 1024
print(json.dumps([seconds, usage.ru_maxrss * unit, os.waitstatus_to_exitcode(status)]))
