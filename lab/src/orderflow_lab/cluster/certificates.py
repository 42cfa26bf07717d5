"""The cluster's certificates: its own authority, and the identity of each part."""

import base64
import datetime as dt
import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME: Final = dt.timedelta(days=30)
"""A cluster on one machine is not used for longer than this."""


@dataclass(frozen=True)
class Identity:
    """A name and its group, as the API server reads them from a certificate."""

    name: str
    group: str = ""


CLIENTS: Final = {
    "admin": Identity("orderflow-admin", "system:masters"),
    "controller-manager": Identity("system:kube-controller-manager"),
    "scheduler": Identity("system:kube-scheduler"),
    "kubelet": Identity("system:node:orderflow", "system:nodes"),
    "proxy": Identity("system:kube-proxy"),
    "front-proxy": Identity("front-proxy"),
}


class Authority:
    """Signs certificates and writes each of them, with its key, to a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _subject(Identity("orderflow-cluster"))
        builder = self._builder(self._name, self._key.public_key())
        self._certificate = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        ).sign(self._key, hashes.SHA256())
        self._write("ca", self._certificate, self._key)

    def issue_client(self, name: str, identity: Identity) -> None:
        """Write a certificate that identifies a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = self._builder(_subject(identity), key.public_key())
        signed = builder.add_extension(usage, critical=False).sign(self._key, hashes.SHA256())
        self._write(name, signed, key)

    def issue_server(self, name: str, names: Iterable[str], addresses: Iterable[str]) -> None:
        """Write a certificate for a server with these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        alternatives = x509.SubjectAlternativeName(
            [
                *(x509.DNSName(each) for each in names),
                *(x509.IPAddress(ipaddress.ip_address(each)) for each in addresses),
            ]
        )
        builder = self._builder(_subject(Identity(name)), key.public_key())
        builder = builder.add_extension(usage, critical=False)
        builder = builder.add_extension(alternatives, critical=False)
        self._write(name, builder.sign(self._key, hashes.SHA256()), key)

    def issue_signer(self, name: str) -> None:
        """Write the key pair that signs and verifies the tokens of service accounts."""
        key = ec.generate_private_key(ec.SECP256R1())
        _write_private(self._folder / f"{name}.key", _private_pem(key))
        (self._folder / f"{name}.pub").write_bytes(
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )

    def _builder(
        self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            # A little in the past, because clocks differ.
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + LIFETIME)
        )

    def _write(
        self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> None:
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        (self._folder / f"{name}.crt").write_bytes(pem)
        _write_private(self._folder / f"{name}.key", _private_pem(key))


def write_all(folder: Path, server_addresses: Iterable[str]) -> None:
    """Write an authority, a certificate for each part, and the keys for service accounts."""
    authority = Authority(folder)
    service = "kubernetes.default.svc"
    names = ("localhost", "kubernetes", "kubernetes.default", service, f"{service}.cluster.local")
    authority.issue_server("apiserver", names, ["127.0.0.1", *server_addresses])
    authority.issue_server("kubelet-server", ["orderflow"], server_addresses)
    for name, identity in CLIENTS.items():
        authority.issue_client(name, identity)
    authority.issue_signer("service-accounts")


def write_kubeconfig(path: Path, server: str, certificates: Path, client: str) -> None:
    """Write a kubeconfig that contains its certificates, readable by its owner only."""
    data = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "orderflow",
                "cluster": {
                    "server": server,
                    "certificate-authority-data": _base64(certificates / "ca.crt"),
                },
            }
        ],
        "users": [
            {
                "name": client,
                "user": {
                    "client-certificate-data": _base64(certificates / f"{client}.crt"),
                    "client-key-data": _base64(certificates / f"{client}.key"),
                },
            }
        ],
        "contexts": [
            {"name": "orderflow", "context": {"cluster": "orderflow", "user": client}},
        ],
        "current-context": "orderflow",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_private(path, yaml.safe_dump(data).encode())


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _subject(identity: Identity) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, identity.name)]
    if identity.group:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, identity.group))
    return x509.Name(parts)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write_private(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
