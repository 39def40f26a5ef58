"""A broker's address, as a person writes it."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from link.broker import Broker, parse_broker_url


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("broker.plant", Broker(host="broker.plant")),
        ("broker.plant:1884", Broker(host="broker.plant", port=1884)),
        ("mqtt://broker.plant", Broker(host="broker.plant", port=1883)),
        ("mqtt://broker.plant/", Broker(host="broker.plant", port=1883)),
        ("mqtts://broker.plant", Broker(host="broker.plant", port=8883, tls=True)),
        ("mqtts://broker.plant:443", Broker(host="broker.plant", port=443, tls=True)),
        ("mqtt://[::1]:1884", Broker(host="::1", port=1884)),
        ("mqtt://ops@10.0.0.1", Broker(host="10.0.0.1", username="ops")),
        ("mqtt://ops:p%40ss%2F@10.0.0.1", Broker(host="10.0.0.1", username="ops", password="p@ss/")),
        ("mqtt://plant-a%2Fpress-1:x@b", Broker(host="b", username="plant-a/press-1", password="x")),
    ],
)
def test_an_address_is_read_as_it_is_meant(url: str, broker: Broker) -> None:
    assert parse_broker_url(url) == broker


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mqtt://",
        "http://broker",
        "mqtt://broker/path",
        "mqtt://broker:0x10",
        "mqtt://broker:70000",
        "mqtt://broker:0",
        "mqtt://ops:p/ss@broker",
        "mqtt://ops:12#x@broker",
        "mqtt://broker?x=1",
        "ws://broker:9001",
        "ws://broker",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not a broker's address"):
        parse_broker_url(url)


def test_a_refused_address_is_not_shown_with_its_secret() -> None:
    with pytest.raises(ValueError, match="broker:none") as refusal:
        parse_broker_url("mqtt://ops:secret@broker:none")
    assert "secret" not in str(refusal.value)


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_user_and_password_survive_percent_encoding(user: str, password: str) -> None:
    try:
        url = f"mqtt://{quote(user, safe='')}:{quote(password, safe='')}@broker"
    except UnicodeEncodeError:  # half a surrogate pair is no text
        return
    broker = parse_broker_url(url)
    assert (broker.username, broker.password) == (user, password)


def test_an_address_is_shown_without_its_secret() -> None:
    assert str(parse_broker_url("mqtts://ops:secret@broker")) == "mqtts://broker:8883"


def test_without_tls_nothing_is_verified_and_with_it_everything_is() -> None:
    assert Broker().tls_context() is None
    context = Broker(tls=True).tls_context()
    assert context is not None
    assert context.check_hostname
