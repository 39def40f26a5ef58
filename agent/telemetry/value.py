"""An OPC UA value becomes JSON: what a subscriber without OPC UA can read.

Numbers, booleans and text stay what they are (an Int64 stays a number). `"NaN"`, `"Infinity"` and `"-Infinity"` stand
for what JSON has no number (OPC UA Part 6, 5.4.2.4); a ByteString is base64, a DateTime RFC 3339, a LocalizedText its
text, an enumeration its number, a structure an object with its field names.
"""

import base64
import math
import uuid
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from asyncua import ua


def to_json(value: Any) -> Any:  # noqa: PLR0911 (a table of types)
    """JSON for any value that asyncua decodes; what is unknown to both becomes its text."""
    match value:
        case None | bool():
            return value
        case str():
            return readable(value)
        case Enum():
            return to_json(value.value)
        case int():
            return int(value)
        case float():
            return number(value)
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return time_text(value)
        case list() | tuple():
            return [to_json(item) for item in value]
        case _:
            return _of_ua_type(value)


def readable(text: str) -> str:
    """Text whose bytes were not UTF-8 (they stand in it as surrogates, which JSON can't carry), made readable."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def number(value: float) -> float | str:
    """A float, or its name where JSON has no number for it."""
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def time_text(value: datetime) -> str:
    """RFC 3339 in UTC; a time without a zone is UTC in OPC UA."""
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return aware.isoformat().replace("+00:00", "Z")


def _of_ua_type(value: Any) -> Any:  # noqa: PLR0911 (a table of types)
    match value:
        case uuid.UUID():
            return str(value)
        case ua.NodeId():
            return readable(value.to_string())
        case ua.LocalizedText():
            return to_json(value.Text)
        case ua.QualifiedName():
            return to_json(f"{value.NamespaceIndex}:{value.Name}" if value.NamespaceIndex else value.Name)
        case ua.StatusCode():
            return value.value
        case ua.Variant() | ua.XmlElement():
            return to_json(value.Value)
        case ua.ExtensionObject():
            return None if value.Body is None else {"TypeId": to_json(value.TypeId), "Body": to_json(value.Body)}
        case _ if is_dataclass(value):
            return {
                field.name: to_json(getattr(value, field.name)) for field in fields(value) if field.name != "Encoding"
            }
        case _:
            return readable(str(value))
