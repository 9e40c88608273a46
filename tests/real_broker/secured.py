"""A broker as hosted ones are: TLS, SCRAM, client certificates, access lists; and the certificates it needs.

Clients come in by SASL or by MTLS. PLAINTEXT is the door of the tests themselves, whose user may do everything.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.real_broker.broker import Broker

USER: Final = "consumer-user"
PASSWORD: Final = "a-scram-password-0123"
CERTIFIED_USER: Final = "CN=certified-user"

ACCESS: Final[dict[str, AclOperation]] = {
    name: AclOperation[name.upper()]
    for name in ("Read", "Write", "Create", "Alter", "Describe", "Delete", "Describe_Configs")
}
KINDS: Final = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "cluster": ResourceType.BROKER,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
}
Right = tuple[str, str, str]
"""Operation, kind of resource, its name: `("Read", "topic", "events")`. `"events*"`: all that begin with it."""


class Authority:
    """A certificate authority of its own; writes PEM files into a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        basic = x509.BasicConstraints(ca=True, path_length=None)
        certificate = self._builder(self._name, self._key).add_extension(basic, critical=True)
        self.certificate = folder / f"{name}.pem"
        """The file of its own certificate."""
        self.certificate.write_bytes(certificate.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def issue(self, name: str) -> tuple[Path, Path]:
        """A key and a certificate for 127.0.0.1 in files of their own."""
        key = ec.generate_private_key(ec.SECP256R1())
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        certificate = self._builder(_named(name), key).add_extension(here, critical=False)
        pem = certificate.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
        key_file, certificate_file = self._folder / f"{name}.key", self._folder / f"{name}.pem"
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        certificate_file.write_bytes(pem)
        return key_file, certificate_file

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class SecuredBroker:
    """The broker, its authority and who may do what."""

    def __init__(self, broker: Broker, authority: Authority, folder: Path) -> None:
        self.broker = broker
        self.authority = authority
        self.folder = folder
        self._admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})

    @property
    def scram(self) -> dict[str, str]:
        """Client properties of the user with a password."""
        return {
            "security.protocol": "SASL_SSL",
            "sasl.mechanisms": "SCRAM-SHA-512",
            "sasl.username": USER,
            "sasl.password": PASSWORD,
            "ssl.ca.location": str(self.authority.certificate),
        }

    @property
    def plain(self) -> dict[str, str]:
        """The same by SASL PLAIN."""
        return {**self.scram, "sasl.mechanisms": "PLAIN"}

    def token(self, endpoint: str) -> dict[str, str]:
        """The same user by a token of an OIDC provider, whose secret is the password."""
        return {
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.authority.certificate),
            "sasl.mechanisms": "OAUTHBEARER",
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.client.id": USER,
            "sasl.oauthbearer.client.secret": PASSWORD,
            "sasl.oauthbearer.token.endpoint.url": endpoint,
        }

    @property
    def certified(self) -> dict[str, str]:
        """Client properties of the user with a certificate."""
        key, certificate = self.authority.issue(CERTIFIED_USER.removeprefix("CN="))
        return {
            "security.protocol": "SSL",
            "ssl.ca.location": str(self.authority.certificate),
            "ssl.key.location": str(key),
            "ssl.certificate.location": str(certificate),
        }

    def allow(self, *rights: Right, user: str = USER) -> None:
        """Give rights."""
        bindings = [AclBinding(*_entry(right, user)) for right in rights]
        for future in self._admin.create_acls(bindings).values():
            future.result(10)

    def deny(self, *rights: Right, user: str = USER) -> None:
        """Take given rights away again."""
        filters = [AclBindingFilter(*_entry(right, user)) for right in rights]
        for future in self._admin.delete_acls(filters).values():
            assert future.result(10), "nothing was taken away"


def _entry(right: Right, user: str) -> tuple[Any, ...]:
    """What an AclBinding is made of, and an AclBindingFilter as well."""
    operation, resource, name = right
    pattern = ResourcePatternType.PREFIXED if name.endswith("*") else ResourcePatternType.LITERAL
    allow = AclPermissionType.ALLOW
    return KINDS[resource], name.removesuffix("*"), pattern, f"User:{user}", "*", ACCESS[operation], allow


@contextmanager
def secured_broker(folder: Path) -> Iterator[SecuredBroker]:
    """A running broker; nobody but the tests has any right yet."""
    authority = Authority(folder)
    key, certificate = authority.issue("broker")
    chain = folder / "broker-keystore.pem"
    chain.write_bytes(key.read_bytes() + certificate.read_bytes() + authority.certificate.read_bytes())
    properties = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",  # who comes in by PLAINTEXT, the controller too
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": chain,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": authority.certificate,
        "listener.name.mtls.ssl.client.auth": "required",
        "listener.name.sasl.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN,OAUTHBEARER",
        "listener.name.sasl.plain.sasl.jaas.config": (
            f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        ),
        "listener.name.sasl.oauthbearer.sasl.jaas.config": (
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;"
        ),  # takes tokens without a signature
        "listener.name.sasl.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
    }
    with Broker(
        properties,
        listeners={"SASL": "SASL_SSL", "MTLS": "SSL"},
        format_options=[f"--add-scram=SCRAM-SHA-512=[name={USER},password={PASSWORD}]"],
    ) as broker:
        yield SecuredBroker(broker, authority, folder)
