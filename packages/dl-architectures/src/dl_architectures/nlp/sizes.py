"""Sizes in words."""


def bytes_in_words(n: int | None) -> str:
    """Bytes in the unit that suits them, such as `3.9 MB`; None stands for a size that is not known."""
    if n is None:
        return "size not known"
    for unit, worth in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n >= worth:
            return f"{n / worth:.1f} {unit}"
    return f"{n} B"
