"""How figures are put into a sentence: `0.54 %`, `31 ms`, `3,000 requests`."""

import math


def count(number: int, thing: str = "") -> str:
    """`3,000`, `1 request`, `2 requests`."""
    said = f"{number:,}"
    if not thing:
        return said
    return f"{said} {thing}" if number == 1 else f"{said} {thing}s"


def share(fraction: float) -> str:
    """A fraction of 1 in per cent, with three significant digits: `0.1 %`, `0.538 %`, `20 %`.

    Near 1 it is what is missing that counts: `99.996 %`.
    """
    if 0.99 < fraction < 1.0:
        places = max(0, -math.floor(math.log10((1.0 - fraction) * 100) + 1e-6))
        return f"{math.floor(fraction * 100 * 10**places + 1e-6) / 10**places:.{places}f} %"
    return f"{_digits(fraction * 100, 3)} %"


def share_at_most(fraction: float) -> str:
    """An upper bound in per cent, rounded up, so that the text never promises more than the sum."""
    if fraction <= 0.0 or fraction >= 1.0:
        return share(fraction)
    step = 10.0 ** (math.floor(math.log10(fraction * 100)) - 2)
    return f"{_digits(math.ceil(fraction * 100 / step - 1e-9) * step, 3)} %"


def time(seconds: float) -> str:
    """`0.4 ms`, `31 ms`, `2.1 s`, `43 min`."""
    if math.isinf(seconds):
        return "unbounded"
    if seconds < 0.01:
        return f"{_digits(seconds * 1000, 2)} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{_digits(seconds, 2)} s"
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def _digits(number: float, digits: int) -> str:
    if number == 0 or abs(number) < 1e-12:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(number))))
    text = f"{number:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
