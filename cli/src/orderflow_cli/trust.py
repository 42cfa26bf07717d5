"""Trusted certificate authorities: those of the operating system and of the environment."""

import os
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import truststore

from orderflow_cli.credentials import read_path
from orderflow_cli.errors import OrderflowError

FILES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
FOLDERS: Final = "SSL_CERT_DIR"


def tls_context(urls: Iterable[str], environment: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """Return the TLS context that verifies the certificates of services at these URLs.

    If none of them uses TLS, no authority is read or trusted. Raises `OrderflowError`, naming the
    variable whose file or folder cannot be used.
    """
    if not any(url.lower().startswith("https:") for url in urls):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for variable in FILES:
        if named := environment.get(variable, "").strip():
            _trust(context, variable, read_path(variable, named))
    for named in environment.get(FOLDERS, "").split(os.pathsep):
        if named.strip():
            _trust_folder(context, FOLDERS, read_path(FOLDERS, named.strip()))
    return context


def _trust(context: ssl.SSLContext, variable: str, path: Path) -> None:
    if path.is_dir():  # as some programs allow
        _trust_folder(context, variable, path)
        return
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise OrderflowError(
            f"{variable} names {path}, which contains no PEM certificate: set it to the file with "
            "the authority's certificate, or unset it"
        ) from None
    except OSError as error:
        raise _unreadable(variable, path, error) from error


def _trust_folder(context: ssl.SSLContext, variable: str, folder: Path) -> None:
    """Trust every certificate in a folder, whether or not its files were named by `c_rehash`.

    Other files are ignored, as long as there is at least one certificate.
    """
    found = 0
    try:
        for path in sorted(folder.iterdir()):
            try:
                context.load_verify_locations(cafile=path)
                found += 1
            except OSError:  # including SSLError
                continue
    except OSError as error:
        raise _unreadable(variable, folder, error) from error
    if not found:
        raise OrderflowError(
            f"{variable} names {folder}, which contains no PEM certificate: put the authority's "
            "certificate there, or unset it"
        )


def _unreadable(variable: str, path: Path, error: OSError) -> OrderflowError:
    return OrderflowError(
        f"{variable} names {path}, which cannot be read ({error.strerror}): set it to the file "
        "with the authority's certificate, or unset it"
    )
