"""SHA-256 without OpenSSL.

`hashlib` loads OpenSSL, which is 3.6 MB of memory in a process that has 50. CPython has the same function in a module
of its own, under a name that changed with 3.12; where it has neither, hashlib serves.
"""

from __future__ import annotations

try:
    from _sha2 import sha256  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    try:
        from _sha256 import sha256  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        from hashlib import sha256

__all__ = ["sha256"]
