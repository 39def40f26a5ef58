"""A bridge and a real OPC UA server that doesn't let it in: the health says why."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from asyncua import Server, ua
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from plant.plc import SimulatedPlc
from tests.support.telemetry import SCANS, Stored, bridging, eventually, plc_config


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate and its key, as files."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "plc")])
    now = datetime.now(UTC)
    unsigned = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    certificate = unsigned.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "plc.der").write_bytes(certificate)
    (folder / "plc.pem").write_bytes(secret)
    return folder / "plc.der", folder / "plc.pem"


async def test_a_wrong_password_is_said_in_the_health(tmp_path) -> None:
    secret = tmp_path / "password"
    secret.write_text("wrong\n")
    async with SimulatedPlc(period_s=0.05, username="millwright", password="right") as plc:
        stored = Stored()
        config = plc_config(plc.url, SCANS, username="millwright", password_file=str(secret))
        async with bridging(config, stored) as bridge:
            await eventually(lambda: bridge.health().errors >= 2)
            health = bridge.health()
            assert not health.connected
            assert health.quality == 0.0
            assert "user name and password" in health.error
            secret.write_text("right\n")
            await stored.until_more("Press.Scans", 5)
            assert bridge.health().error is None


async def test_a_server_that_is_not_there_is_said_in_the_health(unused_tcp_port: int) -> None:
    stored = Stored()
    async with bridging(plc_config(f"opc.tcp://127.0.0.1:{unused_tcp_port}", SCANS), stored) as bridge:
        await eventually(lambda: bridge.health().errors >= 2)
        assert "Connect" in bridge.health().error


async def test_a_server_that_requires_security_is_said_in_the_health(tmp_path: Path) -> None:
    server = Server()
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:0")
    certificate, key = self_signed(tmp_path)
    await server.load_certificate(str(certificate))
    await server.load_private_key(str(key))
    server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    async with server:
        url = f"opc.tcp://127.0.0.1:{server.bserver.port}"
        async with bridging(plc_config(url, SCANS, timeout_s=2.0), Stored()) as bridge:
            await eventually(lambda: bridge.health().errors >= 1)
            assert "requires security" in bridge.health().error
