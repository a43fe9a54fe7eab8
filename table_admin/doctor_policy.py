"""What doctor says of a row that does not answer everybody: whether what it is guarded by is there, and holds."""

from collections.abc import Iterator
from datetime import datetime

from edge_handler.routes.origin import CustomOrigin, DeploymentOrigin, S3Origin
from edge_handler.routes.policy import Maintenance, Policy
from edge_handler.routes.route import Route
from table_admin.access_table import AccessTable, NoAccessTable
from table_admin.asking import ask
from table_admin.deployments.keys import bucket_of
from table_admin.errors import TableAdminError
from table_admin.finding import Finding
from table_admin.history import revision_at
from table_admin.inputs import epoch_text
from table_admin.origin_secret import verdicts
from table_admin.path_rules import answering
from table_admin.policies import keeps_out
from table_admin.routing_table import RoutingTable

_DAY = 86_400
_OLD_KEY_DAYS = 90
_PAST_THE_EDGE = "what guards {domain} is asked by the distribution only"


def refused_with(route: Route | None) -> frozenset[int]:
    """Return the statuses that somebody without a session gets as the row means it."""
    policy = route.policy if route is not None else None
    if policy is None:
        return frozenset()
    statuses = {403} if keeps_out(policy) else set()
    return frozenset(statuses | ({503} if policy.maintenance else set()))


def guarding(table: RoutingTable, route: Route) -> Iterator[Finding]:
    """Yield what is found; nothing of a row that answers everybody."""
    policy = route.policy or Policy()
    if policy.private:
        yield _keys(table, policy.private)
    if keeps_out(policy):
        yield from _past_the_edge(table, route)
    if policy.maintenance is not None:
        yield _maintenance(table, route, policy.maintenance)


def _keys(table: RoutingTable, since: int) -> Finding:
    try:
        keys = AccessTable(table.stack, table.tables.dynamodb).keys().keys
    except NoAccessTable as error:
        return Finding("private", "wrong", f"Nobody gets in. {error}", "Deploy this version's template.yaml.")
    except TableAdminError as error:
        return Finding("private", "unknown", str(error), f"It takes dynamodb:GetItem on {table.stack}-access.")
    text = f"Since revision {since} it takes a link or the password"
    if not keys:
        return Finding("private", "ok", f"{text}; no link was made in this stack yet: table-admin access link.")
    made_at = keys[0].made_at
    try:
        days = (table.clock() - _epoch(made_at)) / _DAY
    except ValueError:
        return Finding("private", "unknown", f"{text}; nobody knows how old the key is.", "table-admin access rotate")
    text += f"; links are signed with a key of {made_at[:10]}"
    if days > _OLD_KEY_DAYS:
        return Finding("private", "unknown", f"{text}, {days:,.0f} days old.", "table-admin access rotate")
    return Finding("private", "ok", f"{text}.")


def _past_the_edge(table: RoutingTable, route: Route) -> Iterator[Finding]:
    """Say which targets anybody may ask by themselves."""
    origins = answering(route)
    told = {found.domain_name for found in verdicts(table, origins) if found.told}
    asked = sorted({one.domain_name for one in origins if isinstance(one, CustomOrigin)} - told)
    guards = _PAST_THE_EDGE.format(domain=route.domain)
    for name in asked:
        mend = "Let it refuse who does not bring the origin's secret, see docs/deploy.md; or everything but CloudFront."
        yield Finding("past the edge", "unknown", f"{name} is not told the origin's secret: {guards}.", mend)
    for bucket, region in sorted(
        {(bucket_of(one.domain_name), one.region) for one in origins if isinstance(one, S3Origin | DeploymentOrigin)}
    ):
        s3 = table.client("s3", region_name=region)
        public, _ = ask(lambda s3=s3, bucket=bucket: s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"])  # type: ignore[misc]
        if public and public.get("IsPublic"):
            mend = f"aws s3api put-public-access-block --bucket {bucket} --public-access-block-configuration "
            mend += "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
            yield Finding("past the edge", "wrong", f"The bucket {bucket} is public: {guards}.", mend)


def _maintenance(table: RoutingTable, route: Route, maintenance: Maintenance) -> Finding:
    text = f"On since revision {maintenance.since}"
    try:
        began = _epoch(revision_at(table, route.domain, maintenance.since).updated_at)
    except (TableAdminError, ValueError):
        return Finding("maintenance", "ok", f"{text}.")
    text += f", {epoch_text(int(began))}"
    days = (table.clock() - began) / _DAY
    if days <= 1:
        return Finding("maintenance", "ok", f"{text}.")
    mend = f"table-admin maintenance off {route.domain}"
    return Finding("maintenance", "unknown", f"{text}: for {days:,.1f} days. Is it forgotten?", mend)


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
