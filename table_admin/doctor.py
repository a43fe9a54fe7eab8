"""doctor: walks the way a request walks, and says at each step what is wrong and how to mend it."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from edge_handler.errors import BrokenRow
from edge_handler.routes.origin import DeploymentOrigin, S3Origin
from edge_handler.routes.redirect import Answering, Redirect
from edge_handler.routes.route import Route, decode_route
from table_admin.asking import ask
from table_admin.changes import is_live
from table_admin.deployments.items import why_not_served
from table_admin.deployments.keys import bucket_of
from table_admin.errors import TableAdminError
from table_admin.finding import Finding
from table_admin.inputs import epoch_text, parse_domain
from table_admin.origin_secret import verdicts
from table_admin.path_rules import answering
from table_admin.routing_table import RoutingTable
from table_admin.sharing import read_cache_policy, sharing
from table_admin.snapshots.known import known_at_edge
from table_admin.targets import objects_under

_ANSWER_SECONDS = 10
_OLD_SECONDS = 300
"""A snapshot is taken each minute: as old as that, and none is taken any more."""


@dataclass(frozen=True, slots=True)
class _Distribution:
    id: str
    domain_name: str
    aliases: tuple[str, ...]
    certificate: str
    cache_policy: str
    """Its id; empty where the default behavior has none."""


def doctor(table: RoutingTable, domain: str, *, edge: str | None = None) -> Iterator[Finding]:
    """Yield a finding for each step from the row to the answer.

    Args:
        table: where.
        domain: whose.
        edge: ask this URL's host and port with the domain as Host, instead of https://domain/.
    """
    domain = parse_domain(domain)
    route = yield from _row(table, domain)
    yield from _snapshot(table, domain)
    distribution = yield from _distribution(table, domain)
    if distribution is not None:
        yield from _certificate(table, domain, distribution)
        yield from _dns(table, domain, distribution)
    if route is not None:
        if isinstance(route.origin, S3Origin):
            yield from _prefix(table, route.origin, distribution)
        elif isinstance(route.origin, DeploymentOrigin):
            yield from _deployment(table, route.domain, route.origin, distribution)
        elif route.target.startswith("arn:"):
            yield from _load_balancer(table, route)
        yield from _secret(table, route)
    headers = yield from _answer(domain, edge)
    if headers is not None and route is not None and not route.origin.website:
        yield from _sharing(table, headers, distribution)


def _row(table: RoutingTable, domain: str) -> Iterator[Finding] | Any:
    item = table.tables.read([domain]).get(domain)
    if item is None:
        known = table.tables.last_revision(domain)
        text = f"it was removed at revision {known}" if known else "it never had a row"
        mend = f"table-admin {'rollback ' + domain if known else 'put ' + domain + ' TARGET'}"
        yield Finding("row", "wrong", f"{domain} has no row; {text}.", mend)
        return None
    try:
        route = decode_route(item)
    except BrokenRow as error:
        yield Finding("row", "wrong", f"The row cannot be read: {error}.", f"table-admin put {domain} TARGET")
        return None
    yield Finding("row", "ok", f"revision {route.revision} by {route.updated_by}: {route.target}")
    if is_live(route, table.clock()):
        until = f"until {epoch_text(route.expires_at)}" if route.expires_at is not None else "permanent"
        yield Finding("expiry", "ok", until)
    else:
        mend = f"table-admin put {domain} {route.target} --expires-in 7d"
        yield Finding("expiry", "wrong", f"It expired {epoch_text(route.expires_at)}.", mend)
    return route


def _snapshot(table: RoutingTable, domain: str) -> Iterator[Finding]:
    """Say what the edge knows of the row without asking; nothing where the stack takes no snapshots."""
    again = f"Read the log of {table.stack}-snapshot; table-admin snapshot takes one now."
    try:
        found = known_at_edge(table, domain)
    except TableAdminError as error:
        yield Finding("snapshot", "unknown", str(error), again)
        return
    if found is not None and found.age > _OLD_SECONDS:
        text = f"None was taken for {found.age / 60:,.0f} minutes; the edge goes on by what is announced."
        yield Finding("snapshot", "wrong", text, again)
    elif found is not None:
        text = str(found)
        yield Finding("snapshot", "ok", f"{text[0].upper()}{text[1:]}.")


def _distribution(table: RoutingTable, domain: str) -> Iterator[Finding] | Any:
    """Find the stack's distribution: by its comment, which the template writes."""
    found, problem = ask(lambda: [*_distributions(table)])
    if found is None:
        yield Finding("distribution", "unknown", problem, "Grant cloudfront:ListDistributions.")
        return None
    covering = [one for one in found if any(covers(alias, domain) for alias in one[0].aliases)]
    ours = [one for one in found if one[1].startswith(f"{table.stack} ")]
    if covering:
        yield Finding("distribution", "ok", f"{covering[0][0].id} has it among its alternate domain names.")
        return covering[0][0]
    if ours:
        mend = f"Add {domain} to its aliases in template.yaml; there is room for 100."
        yield Finding("distribution", "wrong", f"No alternate domain name of {ours[0][0].id} covers it.", mend)
        return ours[0][0]
    mend = f"Deploy template.yaml, or name its stack: --stack (now {table.stack})."
    yield Finding("distribution", "wrong", "No distribution answers for it.", mend)
    return None


def _distributions(table: RoutingTable) -> Iterator[tuple[_Distribution, str]]:
    for page in table.client("cloudfront").get_paginator("list_distributions").paginate():
        for item in page["DistributionList"].get("Items", ()):
            certificate = item.get("ViewerCertificate", {}).get("ACMCertificateArn", "")
            aliases = tuple(item.get("Aliases", {}).get("Items", ()))
            policy = item["DefaultCacheBehavior"].get("CachePolicyId", "")
            yield _Distribution(item["Id"], item["DomainName"], aliases, certificate, policy), item.get("Comment", "")


def _certificate(table: RoutingTable, domain: str, distribution: _Distribution) -> Iterator[Finding]:
    mend = "Give the distribution a certificate in us-east-1 that covers it."
    if not distribution.certificate:
        yield Finding("certificate", "wrong", "The distribution has the one of cloudfront.net only.", mend)
        return
    acm = table.client("acm", region_name="us-east-1")
    answer, problem = ask(lambda: acm.describe_certificate(CertificateArn=distribution.certificate)["Certificate"])
    if answer is None:
        yield Finding("certificate", "unknown", problem, "Grant acm:DescribeCertificate.")
        return
    names = [answer["DomainName"], *answer.get("SubjectAlternativeNames", ())]
    if not any(covers(name, domain) for name in names):
        yield Finding("certificate", "wrong", f"It is for {', '.join(dict.fromkeys(names))}.", mend)
    elif answer.get("Status") != "ISSUED":
        text = f"It is {answer.get('Status')}, not issued."
        yield Finding("certificate", "wrong", text, "Put its validation record into the zone, and wait.")
    else:
        yield Finding("certificate", "ok", f"{answer['DomainName']} covers it.")


def _dns(table: RoutingTable, domain: str, distribution: _Distribution) -> Iterator[Finding]:
    answer, problem = ask(lambda: [*_records(table, domain)])
    if answer is None:
        yield Finding("dns", "unknown", problem, "Grant route53:ListHostedZones and ListResourceRecordSets.")
        return
    if not answer:
        mend = f"Point {domain} at {distribution.domain_name} where its DNS is."
        yield Finding("dns", "unknown", "No zone of this account has a name for it.", mend)
        return
    targets = {target.rstrip(".") for _, target in answer}
    if targets == {distribution.domain_name}:
        yield Finding("dns", "ok", f"{answer[0][0]} points at {distribution.domain_name}.")
        return
    mend = f"Make it an alias of {distribution.domain_name}."
    yield Finding("dns", "wrong", f"{answer[0][0]} points at {', '.join(sorted(targets))}.", mend)


def _records(table: RoutingTable, domain: str) -> Iterator[tuple[str, str]]:
    """Yield name and target of the records that DNS would find: exact ones, else the wildcard's."""
    route53 = table.client("route53")
    found: list[tuple[str, str]] = []
    for page in route53.get_paginator("list_hosted_zones").paginate():
        for zone in page["HostedZones"]:
            if f"{domain}.".endswith((f".{zone['Name']}", zone["Name"])) and not zone["Config"].get("PrivateZone"):
                pages = route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone["Id"])
                for record in (record for one in pages for record in one["ResourceRecordSets"]):
                    name = record["Name"].replace("\\052", "*").rstrip(".")
                    if record["Type"] in ("A", "AAAA", "CNAME") and covers(name, domain):
                        values = [value["Value"] for value in record.get("ResourceRecords", ())]
                        target = record.get("AliasTarget", {}).get("DNSName") or ", ".join(values)
                        found.append((name, target))
    exact = [one for one in found if one[0] == domain]
    yield from exact or found


def _prefix(table: RoutingTable, origin: S3Origin, distribution: _Distribution | None) -> Iterator[Finding]:
    bucket = bucket_of(origin.domain_name)
    try:
        filled = objects_under(table.client, origin)
    except TableAdminError as error:
        yield Finding("bucket", "wrong", str(error), f"Create the bucket {bucket}, or put another target.")
        return
    yield Finding("bucket", "ok", f"{bucket} in {origin.region}")
    if filled:
        yield Finding("prefix", "ok", f"{origin.prefix or '/'} has objects.")
    else:
        mend = f"aws s3 sync ./public s3://{bucket}{origin.prefix}"
        yield Finding("prefix", "wrong", f"Nothing is under {origin.prefix or '/'}.", mend)
    yield from _policy(table, origin, distribution)


def _deployment(
    table: RoutingTable, domain: str, origin: DeploymentOrigin, distribution: _Distribution | None
) -> Iterator[Finding]:
    bucket = bucket_of(origin.domain_name)
    try:
        why = why_not_served(table, origin)
    except TableAdminError as error:
        yield Finding("deployment", "unknown", str(error), f"Grant reading s3://{bucket} and the deployments table.")
        return
    if why:
        mend = f"Deploy it again, or: table-admin history {domain}, then rollback {domain} --to REVISION"
        yield Finding("deployment", "wrong", why, mend)
    else:
        yield Finding("deployment", "ok", f"{origin.deployment} in {bucket} is ready.")
    yield from _policy(table, origin, distribution)


def _policy(
    table: RoutingTable, origin: S3Origin | DeploymentOrigin, distribution: _Distribution | None
) -> Iterator[Finding]:
    bucket = bucket_of(origin.domain_name)
    s3 = table.client("s3", region_name=origin.region)
    answer, problem = ask(lambda: json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]))
    if answer is not None and distribution is not None and _allows(answer, distribution.id):
        yield Finding("policy", "ok", "It lets CloudFront read.")
    else:
        text = problem or "It does not let this distribution read."
        mend = "Only the stack's own bucket needs it; another must be named in the parameter OtherBuckets."
        yield Finding("policy", "unknown", text, mend)


def _allows(policy: dict[str, Any], distribution: str) -> bool:
    return any(
        statement.get("Effect") == "Allow"
        and "cloudfront.amazonaws.com" in json.dumps(statement.get("Principal"))
        and f"distribution/{distribution}" in json.dumps(statement.get("Condition", {}))
        for statement in policy.get("Statement", ())
    )


def _load_balancer(table: RoutingTable, route: Route) -> Iterator[Finding]:
    try:
        origin = table.targets.resolve(route.target)
    except TableAdminError as error:
        yield Finding("load balancer", "wrong", str(error), f"table-admin put {route.domain} OTHER_TARGET")
        return
    if origin != route.origin:
        text = f"It is {_name(origin)} now, the row says {_name(route.origin)}."
        yield Finding("load balancer", "wrong", text, "table-admin refresh")
    else:
        yield Finding("load balancer", "ok", f"{_name(origin)} is active.")
    elb = table.client("elbv2", region_name=route.target.split(":")[3])
    states, problem = ask(lambda: _health(elb, route.target))
    if states is None:
        yield Finding("targets", "unknown", problem, "Grant elasticloadbalancing:DescribeTargetHealth.")
    elif states.count("healthy"):
        yield Finding("targets", "ok", f"{states.count('healthy')} of {len(states)} are healthy.")
    else:
        text = f"None of {len(states)} is healthy ({', '.join(sorted(set(states))) or 'none is registered'})."
        mend = "kubectl --namespace nginx-ingress get pods; kubernetes/target-group-binding.yaml registers them."
        yield Finding("targets", "wrong", text, mend)


def _name(origin: Answering) -> str:
    return origin.location if isinstance(origin, Redirect) else origin.domain_name


def _health(elb: Any, arn: str) -> list[str]:
    try:
        groups = elb.describe_target_groups(LoadBalancerArn=arn)["TargetGroups"]
    except elb.exceptions.TargetGroupNotFoundException:
        return []
    return [
        found["TargetHealth"]["State"]
        for group in groups
        for found in elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    ]


def _secret(table: RoutingTable, route: Route) -> Iterator[Finding]:
    """Say whether an ingress is told the secret. That it is not is no fault of one that does not ask for it."""
    for found in verdicts(table, answering(route)):
        yield Finding("secret", "ok" if found.told else "unknown", f"{found.text}.", found.mend)


def _answer(domain: str, edge: str | None) -> Iterator[Finding] | Any:
    """Ask for the first page; return its headers where it is no error."""
    parts = urlsplit(edge or f"https://{domain}")
    secure = parts.scheme == "https"
    make = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = make(parts.hostname or "", parts.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/", headers={"host": domain, "accept": "application/json"})
        response = connection.getresponse()
        body = response.read(10_000)
    except (OSError, http.client.HTTPException) as error:
        yield Finding("answer", "wrong", f"Nobody answers: {error}.", "Mend the steps above first.")
        return None
    finally:
        connection.close()
    served = response.getheader("x-cache", "an unknown server")
    if response.status < 400:
        yield Finding("answer", "ok", f"{response.status}, {served}")
        return response.getheaders()
    mend = "The ingress has no such host: kubectl get ingress --all-namespaces" if response.status == 404 else ""
    text = f"{response.status}, {served}: {body[:200].decode('utf-8', 'replace')}"
    yield Finding("answer", "wrong", " ".join(text.split()), mend or "Mend the steps above first.")
    return None


def _sharing(
    table: RoutingTable, headers: list[tuple[str, str]], distribution: _Distribution | None
) -> Iterator[Finding]:
    policy, problem = None, "no distribution with a cache policy is known"
    if distribution is not None and distribution.cache_policy:
        cloudfront = table.client("cloudfront")
        policy, problem = ask(lambda: read_cache_policy(cloudfront, distribution.cache_policy))
    yield from sharing(headers, policy, problem, table.clock())


def covers(name: str, domain: str) -> bool:
    """Tell whether a name of a certificate, an alias or a record is for a domain: a `*` is one label."""
    return name == domain or (name.startswith("*.") and domain.partition(".")[2] == name[2:])
