"""What went wrong between us and the broker, and what to do about it."""

from msgspec import Struct

from link.client import LinkError, PublishRefusedError
from wire.topics import Kind, Topics


class Problem(Struct, frozen=True):
    """What is said on stderr: the fault, and the remedy."""

    fault: str
    remedy: str


def explain(error: LinkError | PublishRefusedError, *, username: str | None, root: str) -> Problem:
    """Say a fault of the connection in words that lead on."""
    user = f"the user {username!r}" if username else "a client without a user name"
    match error:
        case PublishRefusedError():
            topic = f"topic write {Topics(root).every(Kind.COMMAND)}"
            return Problem(
                f"{user} may not publish to {error.topic}: {error.reason}", f"the broker's ACL needs: {topic}"
            )
        case LinkError(refused=True):
            options = "--username and --password-file, or MILLWRIGHT_USERNAME and MILLWRIGHT_PASSWORD_FILE"
            return Problem(f"the broker does not let {user} in: {error}", f"check {options}")
    remedy = "is the broker running there? --broker URL or MILLWRIGHT_BROKER names another"
    return Problem(f"the broker can't be reached: {error}", remedy)
