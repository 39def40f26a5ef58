"""On which line of a TOML text a field stands.

The parser of the standard library keeps no positions, so the text is read once more, for keys and brackets alone. It
has been parsed before: what is read here is valid TOML, and nothing needs to be checked again.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from agent.load.problem import FieldPath

_TOKEN = re.compile(
    r'''
      (?P<skip> [ \t\r]+ | \#[^\n]* )
    | (?P<text> """(?:\\.|[^\\])*?"{3,5} | \'{3}.*?\'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*' )
    | (?P<mark> [\n\[\]{}=,.] )
    | (?P<bare> [^\s\#\[\]{}=,."']+ )
    ''',
    re.VERBOSE | re.DOTALL,
)


class _Token(NamedTuple):
    text: str
    line: int


def line_of(text: str, path: FieldPath) -> int | None:
    """The line (from 1) of the field, or of the nearest thing around it; None where none of it is in the text."""
    lines = _Scan(text).lines
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


class _Scan:
    """One reading of a text; `lines` has every table, key and array element, and where it first stands."""

    def __init__(self, text: str) -> None:
        self.lines: dict[FieldPath, int] = {}
        self._lengths: dict[FieldPath, int] = {}
        self._tokens = _tokens(text)
        self._next = next(self._tokens)
        table: FieldPath = ()
        while self._next.text:
            if self._next.text == "\n":
                self._take()
            elif self._next.text == "[":
                table = self._header()
            else:
                self._pair(table)

    def _take(self) -> _Token:
        token, self._next = self._next, next(self._tokens, _Token("", 0))
        return token

    def _saw(self, path: FieldPath, line: int) -> None:
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)

    def _header(self) -> FieldPath:
        line = self._take().line
        is_array = self._next.text == "["
        if is_array:
            self._take()
        keys = self._keys(end="]")
        if is_array:
            self._take()
        path = self._resolved(keys, is_array=is_array)
        self._saw(path, line)
        return path

    def _resolved(self, keys: list[str], *, is_array: bool) -> FieldPath:
        """A header's path: an array of tables on the way to it means that array's latest table."""
        path: FieldPath = ()
        for key in keys[:-1]:
            path = self._latest((*path, key))
        path = (*path, keys[-1])
        if is_array:
            self._lengths[path] = self._lengths.get(path, 0) + 1
        return self._latest(path)

    def _latest(self, path: FieldPath) -> FieldPath:
        return (*path, self._lengths[path] - 1) if path in self._lengths else path

    def _keys(self, *, end: str) -> list[str]:
        keys = []
        while (token := self._take()).text not in (end, ""):
            if token.text != ".":
                keys.append(token.text.strip("\"'"))
        return keys

    def _pair(self, table: FieldPath) -> None:
        line = self._next.line
        path = (*table, *self._keys(end="="))
        self._saw(path, line)
        self._value(path)

    def _value(self, path: FieldPath) -> None:
        if self._next.text == "[":
            self._array(path)
        elif self._next.text == "{":
            self._inline_table(path)
        else:
            while self._next.text not in ("\n", ",", "]", "}", ""):
                self._take()

    def _array(self, path: FieldPath) -> None:
        self._take()
        index = 0
        while self._next.text not in ("]", ""):
            if self._next.text == ",":
                index += 1
            if self._next.text in (",", "\n"):
                self._take()
                continue
            self._saw((*path, index), self._next.line)
            self._value((*path, index))
        self._take()

    def _inline_table(self, path: FieldPath) -> None:
        self._take()
        while self._next.text not in ("}", ""):
            if self._next.text in (",", "\n"):
                self._take()
            else:
                self._pair(path)
        self._take()


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "skip":
            yield _Token(match.group(), line)
        line += match.group().count("\n")
    yield _Token("", line)
