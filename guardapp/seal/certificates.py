"""Signers by X.509 certificate: a signature carries its certificate, and a reader trusts a root instead of each key.

Chains are built and checked by `model_signing`, as of the moment from which the signer's certificate is valid: when the
signature was made is not proven by anything, so an expired certificate still speaks for what was signed before.
Revocation is not looked up; nothing here uses the network.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from guardapp.errors import GuardError, from_os_error

if TYPE_CHECKING:
    from cryptography import x509

LARGEST_FILE = 1 << 20


class Certified(NamedTuple):
    """Who a trusted certificate says the signer is, and their public key in PEM."""

    subject: str
    public: str


def read_certificates(path: Path) -> bytes:
    """The PEM certificates in a file. GuardError `certificates.unreadable` and what the system refuses."""
    from cryptography import x509

    try:
        data = path.read_bytes()[: LARGEST_FILE + 1]
    except OSError as error:
        raise from_os_error(error, path) from error
    try:
        if len(data) > LARGEST_FILE or not x509.load_pem_x509_certificates(data):
            raise ValueError
    except ValueError as error:
        raise GuardError(
            what=f"{path.name} holds no certificates",
            why="there is no whole certificate in PEM in it",
            next="Give a file that begins with -----BEGIN CERTIFICATE-----.",
            code="certificates.unreadable",
        ) from error
    return data


def signer(private_key: Any, certificates: bytes) -> Any:
    """`model_signing`'s signer whose signatures carry `certificates`, the signer's own first, then those above it.

    private_key: an elliptic-curve key. GuardError `certificates.other-key` if the certificate is not about it.
    """
    from cryptography import x509
    from model_signing.signing import certificate

    chain = x509.load_pem_x509_certificates(certificates)
    if chain[0].public_key() != private_key.public_key():
        raise GuardError(
            what="This certificate cannot go with the signature",
            why="it is about another key than the one that signs",
            next="Put the signer's own certificate first in the file.",
            code="certificates.other-key",
        )

    class Signer(certificate.Signer):  # type: ignore[misc]
        def __init__(self) -> None:
            self._private_key = private_key
            self._signing_certificate, self._trust_chain = chain[0], chain[1:]

    return Signer()


def is_signed(bundle: Any, roots: bytes) -> bool:
    """Whether the key of a certificate that leads to `roots` made the signature."""
    from cryptography.exceptions import InvalidSignature
    from OpenSSL import crypto

    try:
        _verifier(roots).verify(bundle)
    except (crypto.X509StoreContextError, crypto.Error, InvalidSignature):
        return False
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return False
    return True


def certified(bundle: Any, roots: bytes) -> Certified | None:
    """Who signed, if a chain of certificates in the signature ends in one of `roots`; else None.

    Only the certificates are checked here, not the signature.
    """
    leaf = _leaf(bundle)
    if leaf is None:
        return None
    from OpenSSL import crypto

    try:
        key = _verifier(roots)._verify_certificates(bundle.bundle.verification_material)
    except (crypto.X509StoreContextError, crypto.Error, ValueError, TypeError, AttributeError, IndexError):
        return None
    return Certified(leaf.subject.rfc4514_string(), _pem(key))


def _leaf(bundle: Any) -> x509.Certificate | None:
    from cryptography import x509

    chain = getattr(bundle.bundle.verification_material, "x509_certificate_chain", None)
    try:
        return x509.load_der_x509_certificate(chain.certificates[0].raw_bytes) if chain else None
    except (ValueError, TypeError, AttributeError, IndexError):
        return None


def _verifier(roots: bytes) -> Any:
    """`model_signing`'s verifier with roots from memory: its own constructor reads them from files."""
    from cryptography import x509
    from model_signing.verifying import certificate
    from OpenSSL import crypto

    class Verifier(certificate.Verifier):  # type: ignore[misc]
        def __init__(self) -> None:
            self._log_fingerprints = False
            self._store = crypto.X509Store()
            for root in x509.load_pem_x509_certificates(roots):
                self._store.add_cert(crypto.X509.from_cryptography(root))

    return Verifier()


def _pem(key: Any) -> str:
    from cryptography.hazmat.primitives import serialization

    data: bytes = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return data.decode()
