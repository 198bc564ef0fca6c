"""Lengths of time as people read them."""


def duration(seconds: float) -> str:
    """In words: "40 s", "3 min 20 s", "2 h 5 min"; what is negative counts as nothing."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
