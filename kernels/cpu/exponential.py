"""exp and what is made of it, in float64 and without a branch, so that LLVM computes several values at a time.

Each is exact to 1e-10 or so of its value, also where that is tiny: rounded to float32, it is the nearest number in all
but one case in a thousand. Infinities and NaN come out as the mathematical functions have them.
"""

from __future__ import annotations

from numba import njit

from .simd import fma64, two_to

LOG2_E = 1.4426950408889634
LN_2 = 0.6931471805599453
MAGIC = 6755399441055744.0
"""1.5 * 2^52: a number up to 2^51 that is added to it is rounded to a whole one, which stands in the lowest bits."""
LOW, HIGH = -708.0, 709.0
"""Where exp leaves the range of normal float64, far outside that of float32."""


@njit(error_model="numpy", inline="always")
def _reduced(x):
    """(exp(r) - 1, 2^k) where x = k ln 2 + r and |r| is at most ln 2 / 2: exp(r) - 1 by its series up to r^9."""
    x = LOW if x < LOW else x
    x = HIGH if x > HIGH else x
    t = fma64(x, LOG2_E, MAGIC)
    r = fma64(t - MAGIC, -LN_2, x)
    p = fma64(r, 1 / 362880, 1 / 40320)
    p = fma64(r, p, 1 / 5040)
    p = fma64(r, p, 1 / 720)
    p = fma64(r, p, 1 / 120)
    p = fma64(r, p, 1 / 24)
    p = fma64(r, p, 1 / 6)
    p = fma64(r, p, 0.5)
    return fma64(r * r, p, r), two_to(t)


@njit(error_model="numpy", inline="always")
def exp(x):
    """exp(x); 0 below -708 and infinite, once it is float32, above 709."""
    p, scale = _reduced(x)
    y = fma64(p, scale, scale)
    return 0.0 if x < LOW else y


@njit(error_model="numpy", inline="always")
def expm1(x):
    """exp(x) - 1."""
    p, scale = _reduced(x)
    return fma64(p, scale, scale - 1.0)


@njit(error_model="numpy", inline="always")
def log1p(x):
    """log(1 + x) for x from 0 to 1: 2 atanh(x / (2 + x)) by its series."""
    z = x / (2.0 + x)
    w = z * z
    p = fma64(w, 1 / 19, 1 / 17)
    p = fma64(w, p, 1 / 15)
    p = fma64(w, p, 1 / 13)
    p = fma64(w, p, 1 / 11)
    p = fma64(w, p, 1 / 9)
    p = fma64(w, p, 1 / 7)
    p = fma64(w, p, 0.2)
    p = fma64(w, p, 1 / 3)
    return 2.0 * fma64(z * w, p, z)


@njit(error_model="numpy", inline="always")
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    e = exp(-abs(x))  # of a negative number alone: never overflows, and keeps tiny values exact
    return (1.0 if x >= 0.0 else e) / (1.0 + e)


@njit(error_model="numpy", inline="always")
def tanh(x):
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x))."""
    t = expm1(-2.0 * abs(x))
    y = -t / (t + 2.0)
    return -y if x < 0.0 else y


@njit(error_model="numpy", inline="always")
def softplus(x):
    """log(1 + exp(x))."""
    return (0.0 if x <= 0.0 else x) + log1p(exp(-abs(x)))


@njit(error_model="numpy", inline="always")
def elu(x, a):
    """x above zero, else a * (exp(x) - 1)."""
    y = a * expm1(x)
    return x if x > 0.0 else y


@njit(error_model="numpy", inline="always")
def mish(x):
    """x * tanh(log(1 + exp(x))): with e = exp(-|x|), a quotient of polynomials in e."""
    e = exp(-abs(x))
    above, below = fma64(2.0, e, 1.0), e * (e + 2.0)
    n = above if x >= 0.0 else below
    return x * (n / (n + 2.0 * (e * e if x >= 0.0 else 1.0)))
