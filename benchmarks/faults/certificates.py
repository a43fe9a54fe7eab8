"""An authority that the workers trust, and certificates by it: a good one, another server's, one of last year."""

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

GOOD, WRONG, EXPIRED = "good", "wrong", "expired"


@dataclass(frozen=True, slots=True)
class Authority:
    """Its own certificate, and files with a key and a certificate for each kind of server."""

    folder: Path

    @property
    def root(self) -> Path:
        """What SSL_CERT_FILE names."""
        return self.folder / "root.pem"

    def context(self, kind: str) -> ssl.SSLContext:
        """Return a server's context."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{kind}.pem")
        return context


def make_authority(folder: Path) -> Authority:
    """Write down a new authority and its certificates."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "faults")])
    today = datetime.now(UTC)
    root = _builder(name, name, key.public_key(), today - timedelta(days=900), today + timedelta(days=2))
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    found = Authority(folder)
    found.root.write_bytes(root.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    ours: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.DNSName("*.table.test"),
    ]
    for kind, names, until in (
        (GOOD, ours, today + timedelta(days=2)),
        (WRONG, [x509.DNSName("another.test")], today + timedelta(days=2)),
        (EXPIRED, ours, today - timedelta(days=365)),
    ):
        leaf = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(name, x509.Name([]), leaf.public_key(), today - timedelta(days=800), until)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
        private = leaf.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        (folder / f"{kind}.pem").write_bytes(private + certificate)
    return found


def _builder(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePublicKey, since: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )
