"""What goes wrong with a PLC's server, in words that say what to do about it."""

import struct
from typing import Any

from asyncua import ua
from asyncua.common.utils import NotEnoughData

from agent.errors import TransientError
from wire.messages import Category

Codes = ua.StatusCodes

UNREADABLE = (
    struct.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    ua.UaError,
)
"""What asyncua and struct raise over bytes that are not what they should be. A server may say anything, and one that
does must not end the agent."""


class PlcError(TransientError):
    """The server is away, refuses, or can't do what is asked; `status` is its StatusCode, None without one.

    All of it is tried again: servers are restarted, users and certificates are put right, without anyone telling us.
    """

    def __init__(self, message: str, *, phase: str, element: str, status: int | None = None) -> None:
        super().__init__(message, phase=phase, component="plc", element=element, category=Category.INTERNAL)
        self.status = status


_MEANING: dict[int, str] = {
    Codes.BadUserAccessDenied: "the server refuses this user name and password",
    Codes.BadIdentityTokenRejected: "the server refuses this user name and password, or wants some",
    Codes.BadIdentityTokenInvalid: "the server can't read this user name and password",
    Codes.BadSecurityPolicyRejected: "the server requires security, which this agent does not offer yet",
    Codes.BadSecurityModeRejected: "the server requires security, which this agent does not offer yet",
    Codes.BadTooManySessions: "the server has no session left",
    Codes.BadMaxConnectionsReached: "the server has no connection left",
    Codes.BadTooManySubscriptions: "the server has no subscription left",
}

TOO_MUCH_AT_ONCE = frozenset(
    (
        Codes.BadTooManyOperations,
        Codes.BadEncodingLimitsExceeded,
        Codes.BadRequestTooLarge,
        Codes.BadResponseTooLarge,
        Codes.BadTcpMessageTooLarge,
        Codes.BadTimeout,
    )
)


def plc_error(error: Exception, *, phase: str, element: str) -> PlcError:
    """Translate what asyncua or the socket raised."""
    status: Any = getattr(error, "code", None)
    match error:
        case TimeoutError():
            message, status = "no answer in time", Codes.BadTimeout
        case ua.UaStatusCodeError():
            message = f"{_MEANING.get(error.code, 'the server refuses')} ({status_name(error.code)})"
        case ua.UaError() if "No matching endpoints" in str(error):
            message = _MEANING[Codes.BadSecurityPolicyRejected]
        case OSError() | ua.UaError() if not isinstance(error, NotEnoughData):
            message = str(error) or type(error).__name__
        case _:
            message, status = f"the server's answer can't be read: {error!r}", Codes.BadDecodingError
    return PlcError(message, phase=phase, element=element, status=status if isinstance(status, int) else None)


def status_name(status: int) -> str:
    """The StatusCode's name in OPC UA, such as `BadNodeIdUnknown`."""
    return str(ua.StatusCode(status).name)
