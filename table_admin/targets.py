"""Targets: what a person writes, resolved and checked when it is written. The edge never resolves anything."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

import boto3
import idna
from botocore.exceptions import BotoCoreError, ClientError

from edge_handler.routes.origin import (
    ORIGIN_DOMAIN_NAME,
    CustomOrigin,
    DeploymentOrigin,
    Origin,
    S3Origin,
    bucket_domain_name,
    is_origin_path,
    is_origin_port,
)
from edge_handler.routes.redirect import STATUSES, Answering, Redirect, is_location
from table_admin.deployments.keys import bucket_of, deployment_at, is_ours
from table_admin.deployments.lists import NoList, read_head
from table_admin.errors import InvalidInput, TableAdminError, TargetRefused

if TYPE_CHECKING:
    from mypy_boto3_elbv2.type_defs import ListenerTypeDef, LoadBalancerTypeDef

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LOAD_BALANCER = re.compile(
    r"arn:aws[a-z-]*:elasticloadbalancing:(?P<region>[a-z0-9-]+):\d{12}:loadbalancer/(?P<type>app|net)/[\w-]+/[0-9a-f]+"
)
# Google's storage answers like S3's REST endpoint: objects, no index documents.
_STORAGE_HOSTS = frozenset(("storage.googleapis.com",))
MAX_PATH = 255
_REDIRECT = "redirect:"
_NO_QUERY = "a redirect has no query, fragment or user; the viewer's query is kept."
_DEFAULT_STATUS = 308
"""Browsers keep method and body; and it is asked for again each time, see `edge_handler.routes.redirect.CACHE`."""

ClientFactory = Callable[..., Any]


class TargetResolver:
    """Resolves targets, and asks AWS about each bucket and each load balancer once."""

    def __init__(self, client: ClientFactory = boto3.client) -> None:
        """`client` makes boto3 clients, called as `client(service, region_name=...)`."""
        self._client = client
        self._regions: dict[str, str] = {}
        self._balancers: dict[str, CustomOrigin] = {}
        self._deployments: dict[tuple[str, str], DeploymentOrigin] = {}

    def resolve(self, target: str, *, keep_host: bool = False) -> Answering:
        """Return the origin that a target stands for now.

        Args:
            target: `s3://bucket/prefix`, `s3://bucket/_deployments/ID` for a deployment, the ARN of an application or
                network load balancer, `https://host[:port][/path]`, or `redirect:[STATUS:]https://host[:port][/path]`,
                308 by default, or `redirect:[STATUS:]/path` on the same host.
            keep_host: for an `https://` target: it is an ingress that routes by the viewer's host.

        Raises:
            InvalidInput: it is not a target.
            TargetRefused: it is one, but nothing could be served from it.
        """
        if keep_host and not target.startswith("https://"):
            raise InvalidInput("--keep-host goes with an https:// target: load balancers get the viewer's host anyway.")
        if target.startswith("s3://"):
            return self._resolve_bucket(*_parse_bucket(target))
        if target.startswith("arn:"):
            if target not in self._balancers:
                self._balancers[target] = _resolve_load_balancer(target, self._client)
            return self._balancers[target]
        if target.startswith("https://"):
            return _resolve_url(target, keep_host)
        if target.startswith(_REDIRECT):
            return _parse_redirect(target)
        raise InvalidInput(
            f"{target[:80]!r} is not a target; write s3://bucket/prefix, a load balancer's ARN, "
            "https://host[:port][/path], or redirect:https://host[:port][/path]."
        )

    def region(self, bucket: str) -> str:
        """Return the region that a bucket is in. Raises InvalidInput, TargetRefused."""
        if bucket not in self._regions:
            _parse_bucket(f"s3://{bucket}")
            self._regions[bucket] = _bucket_region(bucket, self._client)
        return self._regions[bucket]

    def remember(self, bucket: str, origin: DeploymentOrigin) -> None:
        """Take what a deployment resolves to as it is said: a row is planned before its list is there."""
        self._deployments[bucket, origin.deployment] = origin

    def _resolve_bucket(self, bucket: str, path: str) -> Origin:
        deployment = deployment_at(path)
        if deployment is None and is_ours(path):
            raise InvalidInput(f"s3://{bucket}{path} is no deployment, and no site is served from where they are kept.")
        region = self.region(bucket)
        name = bucket_domain_name(bucket, region)
        if deployment is None:
            return S3Origin(name, region, path)
        if (bucket, deployment) not in self._deployments:
            try:
                options = read_head(self._client("s3", region_name=region), bucket, deployment).options
            except NoList as error:
                raise TargetRefused(str(error)) from error
            found = DeploymentOrigin(name, region, deployment, options.query, options.cors)  # type: ignore[arg-type]
            self._deployments[bucket, deployment] = found
        return self._deployments[bucket, deployment]


def objects_under(client: ClientFactory, origin: S3Origin) -> bool:
    """Tell whether a bucket has anything under a prefix. Raises TableAdminError where it does not say."""
    bucket = bucket_of(origin.domain_name)
    prefix = f"{unquote(origin.prefix).removeprefix('/')}/" if origin.prefix else ""
    try:
        answer = client("s3", region_name=origin.region).list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
    except (ClientError, BotoCoreError) as error:
        raise TableAdminError(f"The bucket {bucket} cannot be listed: {error}") from error
    return bool(answer["KeyCount"])


def same_target(one: str, other: str) -> bool:
    """Tell whether two targets are written for the same: a slash at the end does not matter."""
    return one.rstrip("/") == other.rstrip("/")


def full_target(text: str, bucket: str) -> str:
    """Return a target; /prefix is one of `bucket`, the configured one. Raises InvalidInput where none is."""
    if not text.startswith("/") or text.startswith("//"):
        return text
    if not bucket:
        raise InvalidInput(f"{text[:80]} is a prefix of the configured bucket, and none is: see table-admin config.")
    return f"s3://{bucket}{text}"


def _path(text: str, target: str) -> str:
    """Return a path percent-encoded as CloudFront takes it: leading slash, no trailing one."""
    try:
        decoded = unquote(text, errors="strict").strip("/")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{target[:80]!r}: the path is not UTF-8.") from error
    path = quote(f"/{decoded}", safe="/-_.~") if decoded else ""
    if {".", "..", ""} & set(decoded.split("/")) - ({""} if not decoded else set()):
        raise InvalidInput(f"{target[:80]!r}: the path has empty, . or .. segments.")
    if len(path) > MAX_PATH:
        raise InvalidInput(f"{target[:80]!r}: the path is longer than {MAX_PATH} characters, percent-encoded.")
    if not is_origin_path(path):
        raise InvalidInput(f"{target[:80]!r}: the path has control characters, or a backslash beside dots.")
    return path


def _parse_bucket(target: str) -> tuple[str, str]:
    bucket, _, prefix = target.removeprefix("s3://").partition("/")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise InvalidInput(f"{bucket[:80]!r} is not a bucket name.")
    return bucket, _path(quote(prefix, safe="/"), target)


def _parse_redirect(target: str) -> Redirect:
    text, status = target.removeprefix(_REDIRECT), str(_DEFAULT_STATUS)
    before, colon, after = text.partition(":")
    if colon and before.isdigit():
        status, text = before, after
    if status not in map(str, STATUSES):
        raise InvalidInput(f"{target[:80]!r}: a redirect's status is one of {', '.join(map(str, STATUSES))}.")
    if text.startswith("/") and not text.startswith("//"):
        if {"?", "#"} & {*text}:
            raise InvalidInput(f"{target[:80]!r}: {_NO_QUERY}")
        return Redirect(_destination(text, target) or "/", int(status))
    if not text.startswith(("https://", "http://")):
        raise InvalidInput(f"{target[:80]!r}: a redirect leads to https://host[:port][/path], or to /path.")
    try:
        parts = urlsplit(text)
        host, port = idna.encode(parts.hostname or "", uts46=True).decode(), parts.port
    except (ValueError, idna.IDNAError) as error:
        raise InvalidInput(f"{target[:80]!r} leads to no URL: {error}.") from error
    if parts.query or parts.fragment or parts.username is not None or parts.password is not None:
        raise InvalidInput(f"{target[:80]!r}: {_NO_QUERY}")
    found = f"{parts.scheme}://{host}{f':{port}' if port else ''}{_destination(parts.path, target)}"
    if not is_location(found):
        raise InvalidInput(f"{target[:80]!r} leads to no host name that a browser could ask for.")
    return Redirect(found, int(status))


def _destination(text: str, target: str) -> str:
    """Return the path that a redirect leads to: a slash at its end stays, as pages are served with one or without."""
    path = _path(text, target)
    return path + "/" if path and text.endswith("/") else path


def _bucket_region(bucket: str, client: ClientFactory) -> str:
    try:
        answer = client("s3").head_bucket(Bucket=bucket)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 404:
            raise TargetRefused(f"The bucket {bucket} does not exist.") from error
        raise TargetRefused(f"The bucket {bucket} exists, but these credentials may not read it ({status}).") from error
    except BotoCoreError as error:
        raise TableAdminError(f"S3 does not answer: {error}") from error
    region = answer.get("BucketRegion") or answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    if not region:
        raise TargetRefused(f"S3 does not say in which region the bucket {bucket} is.")
    return str(region)


def _resolve_load_balancer(arn: str, client: ClientFactory) -> CustomOrigin:
    match = _LOAD_BALANCER.fullmatch(arn)
    if not match:
        raise InvalidInput(f"{arn[:120]!r} is not the ARN of an application or network load balancer.")
    elb = client("elbv2", region_name=match["region"])
    try:
        balancer: LoadBalancerTypeDef = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
        listeners: list[ListenerTypeDef] = elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    except (ClientError, LookupError) as error:
        missing = isinstance(error, LookupError) or error.response["Error"]["Code"].startswith("LoadBalancerNotFound")
        raise TargetRefused(
            f"The load balancer {arn} does not exist." if missing else f"It cannot be looked up: {error}"
        ) from error
    except BotoCoreError as error:
        raise TableAdminError(f"Elastic Load Balancing does not answer: {error}") from error
    if balancer.get("Scheme") != "internet-facing":
        raise TargetRefused(f"The load balancer {arn} is internal; CloudFront reaches internet-facing ones only.")
    state = balancer.get("State", {}).get("Code")
    if state not in ("active", "active_impaired"):
        raise TargetRefused(f"The load balancer {arn} is {state}, not active; try again when it is.")
    ports = sorted(filter(None, map(_listener, listeners)), key=lambda found: (found[0] != "https", found[1] != 443))
    if not ports:
        raise TargetRefused(f"The load balancer {arn} has no listener that CloudFront could connect to.")
    protocol, port = ports[0]
    return CustomOrigin(balancer["DNSName"].lower(), protocol, port, "", "viewer", website=False)


def _listener(listener: "ListenerTypeDef") -> Any:
    protocol, port = listener.get("Protocol"), listener.get("Port", 0)
    if not is_origin_port(port) or protocol not in ("HTTP", "HTTPS", "TCP", "TLS", "TCP_UDP"):
        return None
    # TCP passes TLS through to the ingress; only its port tells.
    return ("https" if protocol in ("HTTPS", "TLS") or (protocol != "HTTP" and port == 443) else "http", port)


def _resolve_url(target: str, keep_host: bool) -> CustomOrigin:
    try:
        parts = urlsplit(target)
        host, port = (parts.hostname or ""), parts.port or 443
    except ValueError as error:
        raise InvalidInput(f"{target[:80]!r} is not a URL: {error}.") from error
    if parts.query or parts.fragment or parts.username is not None or parts.password is not None:
        raise InvalidInput(f"{target[:80]!r}: a target has no query, fragment or user.")
    if not ORIGIN_DOMAIN_NAME.fullmatch(host):
        raise InvalidInput(f"{host[:80]!r} is not a DNS name that CloudFront could connect to.")
    if not is_origin_port(port):
        raise InvalidInput(f"Port {port}: CloudFront connects to 80, 443 and 1024 to 65535 only.")
    host_header = "viewer" if keep_host else "origin"
    return CustomOrigin(host, "https", port, _path(parts.path, target), host_header, host in _STORAGE_HOSTS)  # type: ignore[arg-type]
