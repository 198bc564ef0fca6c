"""Text as it can be shown."""


def printable(text: str) -> str:
    r"""Text that every log, terminal and JSON takes: bytes of a name that are no UTF-8 become `\udcXX`."""
    return text.encode(errors="backslashreplace").decode()
