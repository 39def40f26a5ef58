"""Docker's words, understood once: which category a refusal is of, and whether the same may work later. Pure.

The engine answers most faults with status 500 and a sentence; these are the sentences of Docker 20.10 to 28.
"""

from msgspec import Struct

from wire.messages import Category

UNREACHABLE_STATUS = 900
"""What aiodocker says when there is nobody to talk to."""


class Refusal(Struct, frozen=True):
    """What a refusal means."""

    category: Category
    retry: bool = False


_SAID_BY_ENGINE = (
    ("port is already allocated", Refusal(Category.PORT_CONFLICT)),
    ("address already in use", Refusal(Category.PORT_CONFLICT)),
    ("ports are not available", Refusal(Category.PORT_CONFLICT)),
    ("no space left on device", Refusal(Category.NO_SPACE)),
    ("client connection is closing", Refusal(Category.ENGINE_UNREACHABLE, retry=True)),
    ("context canceled", Refusal(Category.ENGINE_UNREACHABLE, retry=True)),
    ("transport is closing", Refusal(Category.ENGINE_UNREACHABLE, retry=True)),
    ("no such image", Refusal(Category.IMAGE_NOT_FOUND, retry=True)),
    ("no such container", Refusal(Category.ENGINE, retry=True)),
    ("is already in progress", Refusal(Category.ENGINE, retry=True)),
    ("marked for removal", Refusal(Category.ENGINE, retry=True)),
)
"""An engine that is just ending is as good as away (seen of 20.10, in the middle of a deploy). A vanished image or
container is retried: it is observed and planned for again."""

_SAID_BY_REGISTRY = (
    ("manifest unknown", Refusal(Category.IMAGE_NOT_FOUND)),
    ("manifest for", Refusal(Category.IMAGE_NOT_FOUND)),
    ("name unknown", Refusal(Category.IMAGE_NOT_FOUND)),
    ("no matching manifest", Refusal(Category.IMAGE_NOT_FOUND)),
    ("no basic auth credentials", Refusal(Category.REGISTRY_REFUSED)),
    ("unauthorized", Refusal(Category.REGISTRY_REFUSED)),
    ("authentication required", Refusal(Category.REGISTRY_REFUSED)),
    ("incorrect username or password", Refusal(Category.REGISTRY_REFUSED)),
    ("denied", Refusal(Category.REGISTRY_REFUSED)),
    ("forbidden", Refusal(Category.REGISTRY_REFUSED)),
    ("no space left on device", Refusal(Category.NO_SPACE)),
    ("not found", Refusal(Category.IMAGE_NOT_FOUND)),
    ("invalid reference", Refusal(Category.IMAGE_NOT_FOUND)),
)


def by_engine(status: int, message: str) -> Refusal:
    """Understand what the engine said about a container."""
    if status == UNREACHABLE_STATUS:
        return Refusal(Category.ENGINE_UNREACHABLE, retry=True)
    return _understood(message, _SAID_BY_ENGINE) or Refusal(Category.ENGINE)


def by_registry(status: int, message: str) -> Refusal:
    """Understand what the engine said about a pull: what is no answer of the registry's was the way to it."""
    if status == UNREACHABLE_STATUS:
        return Refusal(Category.ENGINE_UNREACHABLE, retry=True)
    return _understood(message, _SAID_BY_REGISTRY) or Refusal(Category.REGISTRY_UNREACHABLE, retry=True)


def _understood(message: str, table: tuple[tuple[str, Refusal], ...]) -> Refusal | None:
    words = message.lower()
    return next((meaning for phrase, meaning in table if phrase in words), None)
