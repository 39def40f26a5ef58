"""Errors in words that say what to do."""

import pytest
from asyncua import ua
from asyncua.common.utils import NotEnoughData

from agent.telemetry.errors import Codes, plc_error


@pytest.mark.parametrize(
    ("raised", "said", "status"),
    [
        (ua.uaerrors.BadUserAccessDenied(), "user name and password", Codes.BadUserAccessDenied),
        (ua.uaerrors.BadSecurityPolicyRejected(), "requires security", Codes.BadSecurityPolicyRejected),
        (ua.UaError("No matching endpoints: 1, None"), "requires security", None),
        (ua.uaerrors.BadNothingToDo(), "BadNothingToDo", Codes.BadNothingToDo),
        (TimeoutError(), "no answer in time", Codes.BadTimeout),
        (ConnectionRefusedError(111, "refused"), "refused", None),
        (ConnectionResetError(), "ConnectionResetError", None),
        (NotEnoughData("4 wanted"), "can't be read", Codes.BadDecodingError),
        (ValueError("24 is not a valid NodeIdType"), "can't be read", Codes.BadDecodingError),
    ],
)
def test_what_was_raised_is_said(raised: Exception, said: str, status: int | None) -> None:
    error = plc_error(raised, phase="connect", element="opc.tcp://x")
    assert said in str(error)
    assert (error.status, error.phase, error.element, error.retry) == (status, "connect", "opc.tcp://x", True)
