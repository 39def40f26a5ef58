"""The options that commands share: which broker, as whom, signed with what; and how a command is followed."""

import functools
import getpass
import inspect
import os
import socket
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec
import typer

from link.broker import Broker, parse_broker_url
from ops.amounts import parse_duration_s
from ops.client import OpsClient
from ops.errand import Signer
from ops.ids import new_command_id
from wire.messages import Args, Command
from wire.topics import DEFAULT_ROOT, Topics, is_name

_PANEL = "Connection"


def _option(*names: str, variable: str, **about: Any) -> Any:
    return typer.Option(*names, envvar=variable, show_envvar=True, rich_help_panel=_PANEL, **about)


@dataclass(frozen=True, kw_only=True)
class Connection:
    """What was said about the broker and about us. Typer reads the fields as options."""

    broker: Annotated[
        str,
        _option("--broker", variable="MILLWRIGHT_BROKER", metavar="URL", help="mqtt://host:1883 or mqtts://host:8883."),
    ] = "mqtt://127.0.0.1:1883"
    username: Annotated[
        str | None, _option("--username", variable="MILLWRIGHT_USERNAME", metavar="NAME", help="Who we are.")
    ] = None
    password_file: Annotated[
        Path | None,
        _option(
            "--password-file",
            variable="MILLWRIGHT_PASSWORD_FILE",
            metavar="FILE",
            help="Our password; or MILLWRIGHT_PASSWORD.",
        ),
    ] = None
    ca_file: Annotated[
        Path | None,
        _option("--ca-file", variable="MILLWRIGHT_CA_FILE", metavar="FILE", help="Verify the broker with it: TLS."),
    ] = None
    key: Annotated[
        Path | None,
        _option("--key", variable="MILLWRIGHT_KEY", metavar="FILE", help="Sign commands: Ed25519 private key, PEM."),
    ] = None
    key_id: Annotated[
        str | None,
        _option(
            "--key-id",
            variable="MILLWRIGHT_KEY_ID",
            metavar="ID",
            help="By what name nodes trust it (default: the file's).",
        ),
    ] = None
    root: Annotated[
        str,
        _option(
            "--topic-root", variable="MILLWRIGHT_TOPIC_ROOT", metavar="TOPIC", help="Where this plant's topics begin."
        ),
    ] = DEFAULT_ROOT

    @property
    def topics(self) -> Topics:
        """The topics below the plant's root."""
        return Topics(self.root)

    def address(self) -> Broker:
        """The broker as the link wants it; raises typer.BadParameter."""
        try:
            broker = parse_broker_url(self.broker)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--broker") from error
        said = {
            "username": self.username,
            "password": os.environ.get("MILLWRIGHT_PASSWORD"),
            "password_file": self.password_file and str(self.password_file),
            "ca_file": self.ca_file and str(self.ca_file),
        }
        return msgspec.structs.replace(broker, **{name: value for name, value in said.items() if value is not None})

    def client(self) -> OpsClient:
        """A client that speaks for whoever typed this; raises typer.BadParameter."""
        return OpsClient(self.address(), topics=self.topics, signer=self._signer())

    def _signer(self) -> Signer | None:
        if self.key is None:
            return None
        try:
            from ops.key import UnusableKeyError, read_signer  # noqa: PLC0415 cryptography comes with an extra
        except ImportError as error:
            message = "signing needs one package more: pip install 'millwright[ops]'"
            raise typer.BadParameter(message, param_hint="--key") from error
        try:
            return read_signer(self.key, key_id=self.key_id)
        except UnusableKeyError as error:
            raise typer.BadParameter(str(error), param_hint="--key") from error


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a command is sent and followed. Typer reads the fields as options."""

    timeout: Annotated[str, typer.Option("--timeout", metavar="TIME", help="The command must have ended by then.")]
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Print the command's id and don't wait for its end.")] = (
        False
    )
    as_json: Annotated[bool, typer.Option("--json", help="Print each outcome as a line of JSON.")] = False
    issuer: Annotated[
        str | None,
        typer.Option(envvar="MILLWRIGHT_ISSUER", metavar="NAME", help="In whose name (default: user@host)."),
    ] = None
    command_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="To repeat a command safely (default: a new one).")
    ] = None

    def command(self, target: str, args: Args) -> Command:
        """What goes on the wire; raises typer.BadParameter."""
        if self.command_id is not None and not is_name(self.command_id):
            raise typer.BadParameter("an id has at most 64 letters, digits and . _ -", param_hint="--id")
        now = datetime.now(UTC)
        return Command(
            id=self.command_id or new_command_id(),
            target=target,
            issuer=self.issuer or f"{getpass.getuser()}@{socket.gethostname()}",
            issued_at=now,
            expires_at=now + timedelta(seconds=seconds("--timeout", self.timeout)),
            args=args,
        )


def seconds(option: str, text: str) -> float:
    """Read an option that is a duration; raises typer.BadParameter."""
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def spread(command: Callable[..., None], **defaults: Any) -> Callable[..., None]:
    """Make a Typer command of a function that takes dataclasses: each of their fields becomes an option.

    `defaults` are for fields whose default is this command's own.
    """
    own = inspect.signature(command, eval_str=True).parameters

    @functools.wraps(command)
    def typed(**given: Any) -> None:
        command(**{name: _gathered(parameter.annotation, name, given) for name, parameter in own.items()})

    options = [option for parameter in own.values() for option in _options_of(parameter, defaults)]
    typed.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    typed.__annotations__ = {option.name: option.annotation for option in options}
    return typed


def _options_of(parameter: inspect.Parameter, defaults: dict[str, Any]) -> list[inspect.Parameter]:
    keyword = inspect.Parameter.KEYWORD_ONLY
    if not is_dataclass(parameter.annotation):
        return [parameter.replace(kind=keyword)]
    return [
        inspect.Parameter(
            field.name, keyword, annotation=field.type, default=defaults.get(field.name, _default_of(field))
        )
        for field in fields(parameter.annotation)
    ]


def _default_of(field: Field[Any]) -> Any:
    return inspect.Parameter.empty if field.default is MISSING else field.default


def _gathered(kind: Any, name: str, given: dict[str, Any]) -> Any:
    if not is_dataclass(kind):
        return given[name]
    return cast(Any, kind)(**{field.name: given[field.name] for field in fields(kind)})
