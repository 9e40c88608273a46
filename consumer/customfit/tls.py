"""Which certificates an engine trusts: the machine's (or SSL_CERT_FILE, SSL_CERT_DIR), and your own authority's."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Final

import httpx

from consumer.customfit.engine import EngineUnavailable

_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def tls_context(ca_certificates: tuple[bytes, ...]) -> ssl.SSLContext:
    """What a server's certificate must come from. `ca_certificates` (DER) are trusted, too.

    Raises EngineUnavailable.
    """
    try:
        context = httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        raise EngineUnavailable(f"SSL_CERT_FILE or SSL_CERT_DIR: cannot load certificates: {error}") from error
    context.load_default_certs()  # the machine's own, in addition to the list that comes with httpx
    if ca_certificates:
        context.load_verify_locations(cadata=b"".join(ca_certificates))
    return context


def read_certificates(path: Path) -> tuple[bytes, ...]:
    """The certificates in the file that CUSTOMFIT_API_CA_FILE names, as DER. Raises EngineUnavailable."""
    try:
        blocks = _PEM.findall(path.read_text(encoding="ascii", errors="replace"))
    except OSError as error:
        raise EngineUnavailable(f"CUSTOMFIT_API_CA_FILE: cannot read {path}: {error.strerror}") from error
    if not blocks:
        raise EngineUnavailable(f"CUSTOMFIT_API_CA_FILE: {path} holds no PEM certificate (-----BEGIN CERTIFICATE-----)")
    try:
        certificates = tuple(ssl.PEM_cert_to_DER_cert(block) for block in blocks)
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=b"".join(certificates))
    except (ValueError, ssl.SSLError) as error:
        raise EngineUnavailable(f"CUSTOMFIT_API_CA_FILE: a certificate in {path} is damaged: {error}") from error
    return certificates
