"""Reads the distribution, its policies and functions, and the tables from template.yaml: tested as deployed."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).parent.parent / "template.yaml"


class TemplateError(Exception):
    """The template says something that the local edge cannot play."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which headers, cookies or query strings a policy names."""

    behavior: str
    names: frozenset[str]

    def includes(self, name: str) -> bool:
        """Tell whether `name` (lower case for a header) is selected."""
        if self.behavior == "whitelist":
            return name in self.names
        if self.behavior == "allExcept":
            return name not in self.names
        return self.behavior != "none"


@dataclass(frozen=True, slots=True)
class Policy:
    """What of a viewer's request is selected by a cache policy or an origin request policy."""

    headers: Selection
    cookies: Selection
    querystrings: Selection


@dataclass(frozen=True, slots=True)
class Distribution:
    """One distribution with its default behavior; TTLs in seconds."""

    cache_key: Policy
    forwarded: Policy
    min_ttl: int
    default_ttl: int
    max_ttl: int
    error_caching_min_ttls: dict[int, int]
    """Status -> seconds, where the distribution says other than CloudFront's 10."""
    encodings: tuple[str, ...]
    """The values of Accept-Encoding that are part of the key."""
    allowed_methods: frozenset[str]
    cached_methods: frozenset[str]
    functions: dict[str, str]
    """Event type -> handler, e.g. `edge_handler.viewer_request.handler`."""
    origin_domain_name: str
    origin_access_control: bool
    """Whether requests to that origin are signed."""
    origin_headers: dict[str, str]
    """The origin's custom headers."""
    response_headers: tuple[tuple[str, str, bool], ...]
    """What the response headers policy adds: name, value, and whether it overrides the origin's."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml takes a tenth of the time
    """YAML with CloudFormation's short forms."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    raise TemplateError(f"!{suffix} of a mapping")


_Loader.add_multi_constructor("!", _short_form)


class Template:
    """A SAM template, resolved as far as a laptop needs it."""

    def __init__(self, text: str, *, stack: str, bucket: str, parameters: dict[str, str] | None = None) -> None:
        """`bucket` is what StaticBucket is called here; `parameters` override the defaults."""
        self._document = yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader
        self._bucket = bucket
        self._values: dict[str, Any] = {
            "AWS::StackName": stack,
            "AWS::AccountId": "123456789012",
            "AWS::Partition": "aws",
            "AWS::Region": "us-east-1",
            "AWS::URLSuffix": "amazonaws.com",
        }
        for name, body in self._document.get("Parameters", {}).items():
            value = (parameters or {}).get(name, str(body.get("Default", "")))
            self._values[name] = value.split(",") if body["Type"] == "CommaDelimitedList" else value

    def properties(self, logical_id: str) -> dict[str, Any]:
        """Return a resource's properties, resolved. Raises TemplateError where there is none."""
        try:
            resolved: dict[str, Any] = self._resolve(self._document["Resources"][logical_id]["Properties"])
        except KeyError as error:
            raise TemplateError(f"the template has no resource {logical_id}") from error
        return resolved

    def distribution(self) -> Distribution:
        """Return what the resource Distribution describes."""
        config = self.properties("Distribution")["DistributionConfig"]
        if config.get("CacheBehaviors"):
            raise TemplateError("only the default cache behavior is played")
        behavior = config["DefaultCacheBehavior"]
        cache = self.properties(behavior["CachePolicyId"])["CachePolicyConfig"]
        key = cache["ParametersInCacheKeyAndForwardedToOrigin"]
        forwarded = self.properties(behavior["OriginRequestPolicyId"])["OriginRequestPolicyConfig"]
        origin = next(origin for origin in config["Origins"] if origin["Id"] == behavior["TargetOriginId"])
        encodings = {"br": "EnableAcceptEncodingBrotli", "gzip": "EnableAcceptEncodingGzip"}
        return Distribution(
            cache_key=_policy(key),
            forwarded=_policy(forwarded),
            min_ttl=int(cache["MinTTL"]),
            default_ttl=int(cache["DefaultTTL"]),
            max_ttl=int(cache["MaxTTL"]),
            error_caching_min_ttls=dict(map(_error_caching_min_ttl, config.get("CustomErrorResponses", ()))),
            encodings=tuple(name for name, switch in encodings.items() if key.get(switch)),
            allowed_methods=frozenset(behavior["AllowedMethods"]),
            cached_methods=frozenset(behavior["CachedMethods"]),
            functions={
                association["EventType"]: self.properties(association["LambdaFunctionARN"].removesuffix(".Version"))[
                    "Handler"
                ]
                for association in behavior["LambdaFunctionAssociations"]
            },
            origin_domain_name=origin["DomainName"],
            origin_access_control=bool(origin.get("OriginAccessControlId")),
            origin_headers={
                header["HeaderName"].lower(): header["HeaderValue"] for header in origin.get("OriginCustomHeaders", ())
            },
            response_headers=_security_headers(
                self.properties(behavior["ResponseHeadersPolicyId"])["ResponseHeadersPolicyConfig"]
            ),
        )

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self._resolve, value) if item is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, argument)
        resolved = {name: self._resolve(item) for name, item in value.items()}
        return {name: item for name, item in resolved.items() if item is not _NO_VALUE}

    def _call(self, name: str, argument: Any) -> Any:
        if name == "Ref":
            return _NO_VALUE if argument == "AWS::NoValue" else self._values.get(argument, argument)
        if name == "Fn::Sub":
            text, values = argument if isinstance(argument, list) else (argument, {})
            own = self._resolve(values)
            return re.sub(
                r"\$\{([^}]+)\}", lambda match: own[match[1]] if match[1] in own else self._attribute(match[1]), text
            )
        if name == "Fn::GetAtt":
            return self._attribute(".".join(argument))
        if name == "Fn::If":
            return self._resolve(argument[1 if self._holds(argument[0]) else 2])
        if name in ("Fn::Split", "Fn::Join", "Fn::Select"):
            first, second = self._resolve(argument)
            if name == "Fn::Select":
                return second[int(first)]
            return second.split(first) if name == "Fn::Split" else first.join(second)
        raise TemplateError(f"{name} is not played")

    def _attribute(self, name: str) -> str:
        logical_id, _, attribute = name.partition(".")
        bucket = self._bucket_name(logical_id)
        if bucket and attribute == "RegionalDomainName":
            return f"{bucket}.s3.us-east-1.amazonaws.com"
        if bucket and attribute == "Arn":
            return f"arn:aws:s3:::{bucket}"
        return str(self._values.get(name, bucket or name))

    def _bucket_name(self, logical_id: str) -> str:
        """Return what a bucket is called; empty where AWS chooses, or it is none."""
        if logical_id == "StaticBucket":
            return self._bucket
        resource = self._document["Resources"].get(logical_id, {})
        name: str = (
            self._resolve(resource["Properties"].get("BucketName", "")) if resource.get("Type") == _BUCKET else ""
        )
        return name

    def _holds(self, condition: str) -> bool:
        return self._condition(self._document["Conditions"][condition])

    def _condition(self, body: Any) -> bool:
        ((name, argument),) = body.items()
        if name == "Condition":
            return self._holds(argument)
        if name == "Fn::Equals":
            return bool(self._resolve(argument[0]) == self._resolve(argument[1]))
        if name == "Fn::Not":
            return not self._condition(argument[0])
        if name in ("Fn::And", "Fn::Or"):
            return (all if name == "Fn::And" else any)(map(self._condition, argument))
        raise TemplateError(f"unknown condition function {name}")


_NO_VALUE = object()
_BUCKET = "AWS::S3::Bucket"
# The schema of AWS::CloudFront::Distribution: 410, 412 and 415 are cached, but cannot be named here.
_ERROR_CODES = frozenset((400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504))
_ERROR_CACHING_MIN_TTL = 300


def _policy(body: dict[str, Any]) -> Policy:
    headers, cookies, querystrings = body["HeadersConfig"], body["CookiesConfig"], body["QueryStringsConfig"]
    return Policy(
        Selection(headers["HeaderBehavior"], frozenset(map(str.lower, headers.get("Headers", ())))),
        Selection(cookies["CookieBehavior"], frozenset(cookies.get("Cookies", ()))),
        Selection(querystrings["QueryStringBehavior"], frozenset(querystrings.get("QueryStrings", ()))),
    )


def _error_caching_min_ttl(entry: dict[str, Any]) -> tuple[int, int]:
    status = int(entry["ErrorCode"])
    if status not in _ERROR_CODES:
        raise TemplateError(f"CloudFront takes no custom error response for {status}")
    if "ResponsePagePath" in entry or "ResponseCode" in entry:
        raise TemplateError("a custom error response's ResponsePagePath and ResponseCode are not played")
    return status, int(entry.get("ErrorCachingMinTTL", _ERROR_CACHING_MIN_TTL))


def _security_headers(config: dict[str, Any]) -> tuple[tuple[str, str, bool], ...]:
    """Return what a response headers policy adds. Raises TemplateError for what is not played."""
    if more := set(config) - {"Name", "Comment", "SecurityHeadersConfig"}:
        raise TemplateError(f"a response headers policy's {', '.join(sorted(more))} is not played")
    found = []
    for kind, body in config["SecurityHeadersConfig"].items():
        if kind == "ContentTypeOptions":
            name, value = "x-content-type-options", "nosniff"
        elif kind == "FrameOptions":
            name, value = "x-frame-options", body["FrameOption"]
        elif kind == "ReferrerPolicy":
            name, value = "referrer-policy", body["ReferrerPolicy"]
        elif kind == "StrictTransportSecurity":
            subdomains = "; includeSubDomains" if body.get("IncludeSubdomains") else ""
            name, value = "strict-transport-security", f"max-age={body['AccessControlMaxAgeSec']}{subdomains}"
        else:
            raise TemplateError(f"the security header {kind} is not played")
        found.append((name, value, bool(body["Override"])))
    return tuple(found)


def load_template(
    *, stack: str, bucket: str, parameters: dict[str, str] | None = None, path: Path = TEMPLATE
) -> Template:
    """Read a template file."""
    return Template(path.read_text(encoding="utf-8"), stack=stack, bucket=bucket, parameters=parameters)
