"""The tree of errors inside an agent.

    AgentError
    ├── TransientError   try again: the world will have changed
    ├── PermanentError   don't try again: the same request fails the same way
    └── ConfigError      the start is refused until a person has changed the configuration

A shell translates its library's exceptions into these, once. Attributes say what it was about; `fault` is what goes on
the wire.
"""

from wire.messages import Category, Fault


class AgentError(Exception):
    """While `phase`, `component` failed for `element`."""

    retry = False

    def __init__(self, message: str, *, phase: str, component: str, element: str, category: Category) -> None:
        super().__init__(message)
        self.phase = phase
        self.component = component
        self.element = element
        self.category = category

    @property
    def fault(self) -> Fault:
        """The same, as it goes on the wire."""
        return Fault(
            phase=self.phase,
            component=self.component,
            element=self.element,
            category=self.category,
            message=str(self),
            retry=self.retry,
        )


class TransientError(AgentError):
    """Somebody else is away or busy; the same request may succeed later."""

    retry = True


class PermanentError(AgentError):
    """The request can't be fulfilled as it stands."""


class ConfigError(Exception):
    """A configuration that can't be used: `where` names the file and the field, `remedy` what would be right."""

    def __init__(self, message: str, *, where: str, remedy: str) -> None:
        super().__init__(message)
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.where}: {self.args[0]}\n  {self.remedy}"
