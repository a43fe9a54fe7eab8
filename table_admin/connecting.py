"""Connections over HTTP that are not boto3's: by the proxy that there is, with the certificates that boto3 trusts."""

import os
import urllib.request
from urllib.parse import urlsplit

import urllib3
from botocore.httpsession import get_cert_path


def pool_for(url: str, connections: int = 1) -> urllib3.PoolManager:
    """Return what asks a URL's server, on so many connections at once."""
    parts = urlsplit(url)
    bundle = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE") or get_cert_path(verify=True)
    proxy = None
    if not urllib.request.proxy_bypass(parts.hostname or ""):
        proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy:
        return urllib3.ProxyManager(proxy, num_pools=2, maxsize=connections, ca_certs=bundle)
    return urllib3.PoolManager(num_pools=2, maxsize=connections, ca_certs=bundle)
