"""A certificate made on the spot, so that other devices in the room get a microphone (browsers give one to https alone).

Nobody vouches for it: a browser warns once, and that is said where the address is printed.
"""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import tempfile
from collections.abc import Sequence
from pathlib import Path

from antiphon.errors import ConfigurationError

DAYS = 30


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """A server's TLS from files. Raises ``ConfigurationError``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"TLS: {certificate} and {key} cannot be used: {error}.", hint="Both are PEM files, and belong together."
        ) from error
    return context


def own_context(names: Sequence[str]) -> ssl.SSLContext:
    """TLS with a fresh certificate for these host names and addresses. Raises ``ConfigurationError`` where the library for
    it is missing."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
    except ImportError as error:
        raise ConfigurationError(
            "--tls makes a certificate, which needs a library that is missing.",
            hint="pip install 'antiphon[webrtc]', or pass --tls-cert and --tls-key.",
        ) from error
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Antiphon playground")])
    began = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    alternatives: list[x509.GeneralName] = []
    for name in names:
        try:
            alternatives.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            alternatives.append(x509.DNSName(name))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + datetime.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(key, hashes.SHA256())
    )
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder, "certificate.pem"), Path(folder, "key.pem")
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].touch(mode=0o600)
        private = serialization.PrivateFormat.PKCS8
        nobody = serialization.NoEncryption()
        paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, private, nobody))
        return tls_context(*paths)
