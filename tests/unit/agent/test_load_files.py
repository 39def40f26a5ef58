"""Files that are no configuration, and files that a configuration names."""

from pathlib import Path

import pytest

from agent.errors import ConfigError
from agent.load import load

NODE = '[node]\nsite = "plant-a"\nname = "press-1"\n'


def mistake(path: Path, text: str) -> ConfigError:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    return caught.value


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[node\n", "line 1, column 6"),
        ('[node]\nsite = "a\n', "line 2, column 10"),
        ("[node]\nsite = a\n", "line 2, column 8"),
        ("[node]\nsite = ", "end of document"),
        (f"{NODE}{NODE}", "line 4, column 6"),
    ],
)
def test_text_that_is_not_toml_is_placed(tmp_path: Path, text: str, place: str) -> None:
    error = mistake(tmp_path / "agent.toml", text)
    assert error.where == f"{tmp_path / 'agent.toml'}, {place}"
    assert error.args[0].startswith("is not TOML: ")


def test_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_bytes(b'[node]\nsite = "\xff"\n')
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load(file, {})


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read: No such file or directory") as caught:
        load(tmp_path / "none.toml", {})
    assert "millwright agent config" in caught.value.remedy


def test_empty_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")
    text = f'{NODE}[mqtt]\nusername = "u"\npassword_file = "{tmp_path}/secret"\n'
    assert "names an empty file" in str(mistake(tmp_path / "agent.toml", text))


def test_authority_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing of the kind")
    error = mistake(tmp_path / "agent.toml", f'{NODE}[mqtt]\nca_file = "{tmp_path}/ca.pem"\n')
    assert error.where.endswith("line 5, mqtt.ca_file")
    assert "can't be used for TLS" in error.args[0]
    assert "PEM" in error.remedy
