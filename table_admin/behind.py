"""What is behind a route, looked at for doctor: of its own target and of each other, and where redirects lead."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from edge_handler.routes.origin import DeploymentOrigin, S3Origin
from edge_handler.routes.redirect import Answering, Redirect
from edge_handler.routes.route import Route
from table_admin.asking import ask
from table_admin.changes import is_live
from table_admin.deployments.items import why_not_served
from table_admin.deployments.keys import bucket_of
from table_admin.errors import TableAdminError
from table_admin.finding import Finding
from table_admin.path_rules import answering
from table_admin.reaching import Distribution, answers_for
from table_admin.redirect_loops import Way, ways
from table_admin.routing_table import RoutingTable
from table_admin.rule_targets import targets_of
from table_admin.targets import objects_under

_SHOWN = 5
"""Of redirects that lead somewhere, so many are shown."""


def behind(table: RoutingTable, route: Route, distribution: Distribution | None) -> Iterator[Finding]:
    """Yield what is found of each target, which is looked at once, however many rules have it."""
    own, *others = targets_of(route)
    yield from _target(table, route.domain, own, route.origin, distribution)
    beside = ["canary"] if route.canary is not None else []
    if route.standby is not None:
        beside.append("stood in for" if route.standby.failed_over else "standby")
    patterns: dict[tuple[str, Answering], list[str]] = {}
    for name, target, origin in zip(
        (*(rule.pattern for rule in route.rules), *beside), others, answering(route)[1:], strict=True
    ):
        patterns.setdefault((target, origin), []).append(name)
    for (target, origin), of_it in patterns.items():
        if (target, origin) != (own, route.origin):
            more = f" (and {len(of_it) - 1} more)" if len(of_it) > 1 else ""
            for found in _target(table, route.domain, target, origin, distribution):
                yield replace(found, text=f"{of_it[0]}{more}: {found.text}")
    yield from _redirects(table, route, distribution)


def _target(
    table: RoutingTable, domain: str, target: str, origin: Answering, distribution: Distribution | None
) -> Iterator[Finding]:
    if isinstance(origin, S3Origin):
        yield from _prefix(table, origin, distribution)
    elif isinstance(origin, DeploymentOrigin):
        yield from _deployment(table, domain, origin, distribution)
    elif target.startswith("arn:"):
        yield from _load_balancer(table, domain, target, origin)


def _redirects(table: RoutingTable, route: Route, distribution: Distribution | None) -> Iterator[Finding]:
    well = []
    for found in ways(table.tables, route):
        why = found.problem and f"Viewers are sent {found.problem}"
        if not why and found.ours:
            why = _why_nothing(table, found, distribution)
        if why:
            mend = f"table-admin put {route.domain if found.problem else found.host} OTHER_TARGET, or another rule."
            yield Finding("redirect", "wrong", f"{why}: {found}.", mend)
        elif found.is_first:
            well.append(found)
    for found in well[:_SHOWN]:
        ends = "a row of this table answers there" if found.route else "no row of this table is for it"
        yield Finding("redirect", "ok", f"{found}; {ends}.")
    if len(well) > _SHOWN:
        yield Finding("redirect", "ok", f"{len(well) - _SHOWN} more lead somewhere.")


def _why_nothing(table: RoutingTable, way: Way, distribution: Distribution | None) -> str:
    """Return why a redirect ends at a page that says so, empty where it does not."""
    if way.route is not None:
        return "" if is_live(way.route, table.clock()) else f"{way.route.domain} has expired, where viewers are sent"
    if distribution is not None and any(answers_for(alias, way.host) for alias in distribution.aliases):
        return f"No row is for {way.host}, which {distribution.id} answers for"
    return ""


def _prefix(table: RoutingTable, origin: S3Origin, distribution: Distribution | None) -> Iterator[Finding]:
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
    table: RoutingTable, domain: str, origin: DeploymentOrigin, distribution: Distribution | None
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
    table: RoutingTable, origin: S3Origin | DeploymentOrigin, distribution: Distribution | None
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


def _load_balancer(table: RoutingTable, domain: str, target: str, known: Answering) -> Iterator[Finding]:
    try:
        origin = table.targets.resolve(target)
    except TableAdminError as error:
        yield Finding("load balancer", "wrong", str(error), f"table-admin put {domain} OTHER_TARGET, or another rule.")
        return
    if origin != known:
        text = f"It is {_name(origin)} now, the row says {_name(known)}."
        yield Finding("load balancer", "wrong", text, "table-admin refresh")
    else:
        yield Finding("load balancer", "ok", f"{_name(origin)} is active.")
    elb = table.client("elbv2", region_name=target.split(":")[3])
    states, problem = ask(lambda: _health(elb, target))
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
