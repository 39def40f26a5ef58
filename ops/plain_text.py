"""Words of others, for a terminal: what a node or a PLC calls itself must not steer the screen of who reads it."""

_CONTROL = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


def without_control(text: str) -> str:
    """The text without control characters, line feed and tab excepted: no escape sequence survives it."""
    return text.translate(_CONTROL)
