"""What the roles of the templates may do: the reads and writes they do, and no more."""

import re
from fnmatch import fnmatchcase
from typing import Any

import pytest
import yaml

from edge_handler.feed.page import ALL_ROUTES
from local_edge.template import Template, load_template
from tests.support import ROOT

Statements = list[dict[str, Any]]
PARAMETERS = {
    "ReplicaRegions": "eu-west-1,ap-south-1",
    "OtherBuckets": "other-sites,more-*",
    "SnapshotCopy": "acme-copy@eu-west-1",
}
SNAPSHOT = "arn:aws:s3:::edge-routing-snapshot-123456789012"
COPY = "arn:aws:s3:::acme-copy"
FEED = "route-history/index/feed"
ACCOUNT = "123456789012"
KEYS = "*"
"""The item of the access table that holds the signing keys."""
TABLE = "arn:aws:dynamodb:{}:123456789012:table/edge-routing-{}"


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def allowed(statements: Statements, action: str, resource: str, **context: str) -> bool:
    """Tell whether a request is; `context` is what conditions look at besides its region: `LeadingKeys="*"`, say."""
    region = f"{resource}:::".split(":")[3]
    return any(
        statement["Effect"] == "Allow"
        and any(fnmatchcase(action, pattern) for pattern in as_list(statement["Action"]))
        and any(fnmatchcase(resource, pattern) for pattern in as_list(statement["Resource"]))
        and _holds(statement.get("Condition", {}), {"RequestedRegion": region, "ResourceAccount": ACCOUNT, **context})
        for statement in statements
    )


def _holds(conditions: dict[str, dict[str, Any]], context: dict[str, str]) -> bool:
    return all(
        operator in ("StringEquals", "ForAllValues:StringEquals")
        and context.get(key.partition(":")[2]) in as_list(wanted)
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )


@pytest.fixture(scope="module")
def template() -> Template:
    return load_template(stack="edge-routing", bucket="acme-sites", parameters=PARAMETERS)


@pytest.fixture(scope="module")
def edge(template: Template) -> Statements:
    (policy,) = template.properties("EdgeRole")["Policies"]
    found: Statements = policy["PolicyDocument"]["Statement"]
    return found


@pytest.fixture(scope="module")
def admin(template: Template) -> Statements:
    (policy,) = template.properties("AdminFunction")["Policies"]
    found: Statements = policy["Statement"]
    return found


@pytest.fixture(scope="module")
def writer(template: Template) -> Statements:
    (policy,) = template.properties("SnapshotFunction")["Policies"]
    found: Statements = policy["Statement"]
    return found


@pytest.fixture(scope="module")
def deploys(template: Template) -> Statements:
    found: Statements = template.properties("DeployPolicy")["PolicyDocument"]["Statement"]
    return found


def test_the_admin_api_signs_uploads_of_files_and_lists_and_of_nothing_else(admin: Statements) -> None:
    for key, may in (("_blobs/x", True), ("_deployments/x", True), ("_condemned", False), ("env-1/index.html", False)):
        assert allowed(admin, "s3:PutObject", f"arn:aws:s3:::acme-sites/{key}") == may
    assert not allowed(admin, "s3:DeleteObject", "arn:aws:s3:::acme-sites/_blobs/x")


def test_both_services_of_lambda_at_edge_may_assume_the_edges_role(template: Template) -> None:
    (trust,) = template.properties("EdgeRole")["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": ["lambda.amazonaws.com", "edgelambda.amazonaws.com"]}


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("dynamodb:BatchGetItem", TABLE.format("us-east-1", "routes")),
        ("dynamodb:BatchGetItem", TABLE.format("eu-west-1", "routes")),
        ("dynamodb:BatchGetItem", TABLE.format("ap-south-1", "routes")),
        ("dynamodb:BatchGetItem", TABLE.format("us-east-1", "access")),
        ("dynamodb:BatchGetItem", TABLE.format("ap-south-1", "access")),
        ("dynamodb:Query", TABLE.format("us-east-1", FEED)),
        ("dynamodb:Query", TABLE.format("ap-south-1", FEED)),
        ("s3:GetObject", f"{SNAPSHOT}/pointer.json"),
        ("s3:GetObject", f"{COPY}/parts/0123456789abcdef/x"),
        ("s3:ListBucket", SNAPSHOT),
        ("s3:ListBucket", COPY),
        ("s3:GetObject", "arn:aws:s3:::acme-sites/env-1/docs/index.html"),
        ("s3:GetObject", "arn:aws:s3:::acme-sites/_deployments/0123456789abcdef0123456789abcdef"),
        ("s3:ListBucket", "arn:aws:s3:::acme-sites"),
        ("s3:GetObject", "arn:aws:s3:::other-sites/index.html"),
        ("s3:ListBucket", "arn:aws:s3:::more-sites"),
        (
            "logs:PutLogEvents",
            "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/us-east-1.edge-routing-viewer-request:x",
        ),
    ],
)
def test_the_edge_may_do_what_it_does(edge: Statements, action: str, resource: str) -> None:
    assert allowed(edge, action, resource)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("dynamodb:BatchGetItem", TABLE.format("sa-east-1", "routes")),
        ("dynamodb:BatchGetItem", TABLE.format("us-east-1", "route-history")),
        ("dynamodb:BatchGetItem", TABLE.format("sa-east-1", "access")),
        *(
            (f"dynamodb:{verb}", TABLE.format("us-east-1", "access"))
            for verb in ("Scan", "Query", "PutItem", "UpdateItem")
        ),
        ("dynamodb:Query", TABLE.format("sa-east-1", FEED)),
        ("dynamodb:Query", TABLE.format("us-east-1", "route-history")),
        ("dynamodb:Query", TABLE.format("us-east-1", "route-history/index/environment")),
        ("dynamodb:Query", TABLE.format("us-east-1", "routes/index/environment")),
        ("dynamodb:PutItem", TABLE.format("us-east-1", "route-history")),
        ("s3:PutObject", f"{SNAPSHOT}/pointer.json"),
        ("s3:PutObject", f"{COPY}/pointer.json"),
        ("s3:GetObject", "arn:aws:s3:::somebody-elses/x"),
        ("s3:ListBucket", "arn:aws:s3:::somebody-elses"),
        *((f"dynamodb:{verb}Item", TABLE.format("us-east-1", "routes")) for verb in ("Put", "Update", "Delete", "Get")),
        ("dynamodb:Scan", TABLE.format("us-east-1", "routes")),
        ("s3:PutObject", "arn:aws:s3:::acme-sites/x"),
        ("s3:DeleteObject", "arn:aws:s3:::acme-sites/x"),
    ],
)
def test_the_edge_may_do_nothing_else(edge: Statements, action: str, resource: str) -> None:
    assert not allowed(edge, action, resource)


def test_the_edge_has_no_action_that_writes_but_to_its_log(edge: Statements) -> None:
    actions = {action for statement in edge for action in as_list(statement["Action"])}
    assert actions == {
        *("dynamodb:BatchGetItem", "dynamodb:Query", "s3:GetObject", "s3:ListBucket"),
        *("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
    }


def test_without_replicas_and_a_copy_the_edge_reads_in_one_region_and_one_bucket() -> None:
    (policy,) = load_template(stack="edge-routing", bucket="acme-sites").properties("EdgeRole")["Policies"]
    edge = policy["PolicyDocument"]["Statement"]
    assert allowed(edge, "dynamodb:BatchGetItem", TABLE.format("us-east-1", "routes"))
    assert allowed(edge, "dynamodb:Query", TABLE.format("us-east-1", FEED))
    assert not allowed(edge, "dynamodb:BatchGetItem", TABLE.format("eu-west-1", "routes"))
    of_snapshots = [as_list(statement["Resource"]) for statement in edge if "Snapshots" in statement["Sid"]]
    assert of_snapshots == [[f"{SNAPSHOT}/*"], [SNAPSHOT]]


def test_the_edge_loads_no_snapshot_from_a_bucket_that_became_somebody_elses(edge: Statements) -> None:
    assert not allowed(edge, "s3:GetObject", f"{SNAPSHOT}/pointer.json", ResourceAccount="210987654321")


def test_the_snapshots_writer_does_what_it_does_and_nothing_else(writer: Statements) -> None:
    granted = {
        (action, str(resource))
        for statement in writer
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }
    assert granted == {
        *((f"dynamodb:{verb}", "RoutesTable.Arn") for verb in ("BatchGetItem", "DescribeTable", "Scan")),
        *(
            (f"dynamodb:{verb}", "RouteHistoryTable.Arn")
            for verb in ("BatchGetItem", "DescribeTable", "GetItem", "Query", "PutItem")
        ),
        ("dynamodb:Query", "RouteHistoryTable.Arn/index/feed"),
        *((f"s3:{verb}", f"{bucket}/*") for verb in ("GetObject", "PutObject") for bucket in (SNAPSHOT, COPY)),
        *(("s3:ListBucket", bucket) for bucket in (SNAPSHOT, COPY)),
    }


def test_the_snapshots_writer_adds_to_no_domains_history(writer: Statements) -> None:
    (adds,) = (statement for statement in writer if "dynamodb:PutItem" in as_list(statement["Action"]))
    assert adds["Resource"] == "RouteHistoryTable.Arn"
    assert _holds(adds["Condition"], {"LeadingKeys": ALL_ROUTES})
    assert not _holds(adds["Condition"], {"LeadingKeys": "www.acme.example"})


def test_the_admin_api_sees_what_the_edge_knows(edge: Statements, admin: Statements, deploys: Statements) -> None:
    for key in ("pointer.json", "parts/0123456789abcdef/x"):
        assert allowed(edge, "s3:GetObject", f"{SNAPSHOT}/{key}")
        assert allowed(admin, "s3:GetObject", f"{SNAPSHOT}/{key}")
        assert not allowed(deploys, "s3:GetObject", f"{SNAPSHOT}/{key}")


def test_nobody_but_its_writer_writes_snapshots(edge: Statements, admin: Statements, deploys: Statements) -> None:
    for statements in (edge, admin, deploys):
        for bucket in (SNAPSHOT, COPY):
            for key in ("pointer.json", "parts/0123456789abcdef/x", "_blobs/x", "_deployments/x"):
                for verb in ("PutObject", "DeleteObject"):
                    assert not allowed(statements, f"s3:{verb}", f"{bucket}/{key}")


def test_a_pipeline_that_deploys_puts_blobs_and_lists_and_does_nothing_else_to_a_bucket(deploys: Statements) -> None:
    on_buckets = {
        (action, resource)
        for statement in deploys
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
        if action.startswith("s3:")
    }
    assert on_buckets == {
        ("s3:PutObject", "arn:aws:s3:::acme-sites/_blobs/*"),
        ("s3:PutObject", "arn:aws:s3:::acme-sites/_deployments/*"),
        ("s3:GetObject", "arn:aws:s3:::acme-sites/_deployments/*"),  # what the former one has is not sent again
        ("s3:GetObject", "arn:aws:s3:::acme-sites/_condemned"),
        ("s3:ListBucket", "arn:aws:s3:::acme-sites"),
    }
    assert not [statement for statement in deploys if statement["Effect"] != "Allow" or "*" in statement["Action"]]


def test_the_history_is_only_ever_added_to_by_a_pipeline_too(deploys: Statements) -> None:
    on_history = {
        action
        for statement in deploys
        for action in as_list(statement["Action"])
        if any("RouteHistoryTable" in str(resource) for resource in as_list(statement["Resource"]))
    }
    assert on_history == {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"}


def test_history_is_only_ever_added_to(admin: Statements) -> None:
    on_history = {
        action
        for statement in admin
        for action in as_list(statement["Action"])
        if any("RouteHistoryTable" in str(resource) for resource in as_list(statement["Resource"]))
    }
    assert on_history == {f"dynamodb:{name}" for name in ("BatchGetItem", "GetItem", "PutItem", "Query")}


def test_the_admin_function_checks_and_writes_deployments_and_removes_nothing(admin: Statements) -> None:
    on_deployments = {
        action
        for statement in admin
        for action in as_list(statement["Action"])
        if any("DeploymentsTable" in str(resource) for resource in as_list(statement["Resource"]))
    }
    assert on_deployments == {f"dynamodb:{name}" for name in ("ConditionCheckItem", "GetItem", "PutItem", "Scan")}
    for bucket in ("acme-sites", "other-sites", "more-sites"):
        assert allowed(admin, "s3:GetObject", f"arn:aws:s3:::{bucket}/_deployments/{'a' * 32}")
        assert allowed(admin, "s3:GetObject", f"arn:aws:s3:::{bucket}/_condemned")
        assert not allowed(admin, "s3:DeleteObjectVersion", f"arn:aws:s3:::{bucket}/_blobs/x")
    assert not allowed(admin, "s3:GetObject", "arn:aws:s3:::other-sites/private/x")


def on_access(statements: Statements) -> set[tuple[str, str]]:
    """Return what may be done to the table of secrets, and to which of its items."""
    found = set()
    for statement in statements:
        (keys,) = [*statement.get("Condition", {}).get("ForAllValues:StringEquals", {}).values()] or [["any"]]
        if any(re.search(r"AccessTable|-access\b", str(resource)) for resource in as_list(statement["Resource"])):
            found |= {(action, key) for action in as_list(statement["Action"]) for key in as_list(keys)}
    return found


def test_the_admin_function_keeps_secrets_item_by_item_and_never_reads_the_whole_table(admin: Statements) -> None:
    assert on_access(admin) == {(f"dynamodb:{verb}Item", "any") for verb in ("Get", "Put", "Delete")}


def test_a_pipeline_that_deploys_signs_links_and_sees_no_password(deploys: Statements) -> None:
    assert on_access(deploys) == {("dynamodb:GetItem", "*"), ("dynamodb:PutItem", "*")}
    for verb in ("GetItem", "PutItem"):
        assert allowed(deploys, f"dynamodb:{verb}", "AccessTable.Arn", LeadingKeys=KEYS)
        assert not allowed(deploys, f"dynamodb:{verb}", "AccessTable.Arn", LeadingKeys="www.acme.example")


def test_who_reads_routes_for_snapshots_or_at_the_edge_writes_no_secret(writer: Statements, edge: Statements) -> None:
    assert on_access(writer) == set()
    assert on_access(edge) == {("dynamodb:BatchGetItem", "any")}


def test_no_statement_names_tables_by_a_pattern_that_the_one_of_secrets_matches(template: Template) -> None:
    named = [
        resource
        for holder in ("EdgeRole", "AdminFunction", "SnapshotFunction", "DeployPolicy")
        for resource in re.findall(r"arn:aws:dynamodb:[^\"' ]*", str(template.properties(holder)))
    ]
    assert len(named) >= 3
    secret = TABLE.format("us-east-1", "access")
    assert [one for one in named if fnmatchcase(secret, one) and not one.endswith("/edge-routing-access")] == []


@pytest.mark.parametrize("name", ["template.yaml", "cluster.yaml"])
def test_every_resource_star_says_why(name: str) -> None:
    text = (ROOT / name).read_text()
    stars = re.findall(r"""^ *(?:- )?(?:Resource: *|- *)["']\*["'] *(.*)$""", text, re.MULTILINE)
    assert len(stars) >= 1
    assert [reason for reason in stars if len(reason) < 20 or not reason.startswith("# ")] == []
    # And however it is written down, none hides from that pattern.
    parsed = yaml.compose(text)
    assert sum(1 for node in _walk(parsed) if node == ("Resource", "*")) == len(stars)


def _walk(node: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(value, yaml.SequenceNode):
                yield from ((key.value, item.value) for item in value.value if isinstance(item, yaml.ScalarNode))
            elif isinstance(value, yaml.ScalarNode):
                yield (key.value, value.value)
            yield from _walk(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _walk(item)
