"""HTTP clients that use the environment's proxy, except for services on this machine."""

from urllib.parse import urlsplit

import httpx

from orderflow_cli.credentials import is_loopback
from orderflow_cli.errors import OrderflowError
from orderflow_cli.trust import tls_context


def open_client(timeout: httpx.Timeout, *urls: str) -> httpx.Client:
    """Open a client for these base URLs.

    Raises `OrderflowError` for an unusable proxy, if one of the URLs needs it, and for CA
    certificates that cannot be read.
    """
    verify = tls_context(urls)
    local = [url for url in urls if is_loopback(url)]
    if len(local) == len(urls):
        return httpx.Client(timeout=timeout, trust_env=False, verify=verify)
    try:
        direct = {f"all://{urlsplit(url).netloc}": None for url in local}
        return httpx.Client(timeout=timeout, mounts=direct, verify=verify)
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise OrderflowError(
            f"the proxy in the environment cannot be used ({error}): correct HTTP_PROXY, "
            "HTTPS_PROXY, ALL_PROXY or NO_PROXY, or add the services' host to NO_PROXY"
        ) from error
