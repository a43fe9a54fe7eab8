import atexit
import itertools
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable
from tests.support import dynalite, dynamodb_client, make_tables, ministack

# A slow machine is no fault of a test's, and fixtures that last for all examples of one are meant so.
settings.register_profile(
    "default",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("default")
# Tests never reach an AWS account, whatever the machine they run on is configured for.
os.environ |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1"}
os.environ |= {"AWS_EC2_METADATA_DISABLED": "true", "SAM_CLI_TELEMETRY": "0"}
# Nor do they leave anything in the home of whoever runs them.
_cache = tempfile.TemporaryDirectory(prefix="edge-routing-tests-")
atexit.register(_cache.cleanup)
os.environ["XDG_CACHE_HOME"] = _cache.name
_stacks = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--dynamodb-endpoint",
        help="Run the suites that write against this DynamoDB too, e.g. DynamoDB Local.",
    )


@pytest.fixture(scope="session")
def aws() -> Iterator[EmbeddedAws]:
    found = EmbeddedAws(0)
    s3 = found.client("s3")
    s3.create_bucket(Bucket="acme-static-sites")
    for name in "abc":  # what tests roll back to
        s3.put_object(Bucket="acme-static-sites", Key=f"env-{name}/index.html", Body=name.encode())
    yield found
    found.close()


@pytest.fixture
def table(aws: EmbeddedAws) -> RoutingTable:
    stack = f"stack-{next(_stacks)}"
    make_tables(stack, aws.client("dynamodb"))
    return RoutingTable(stack, actor="tester", client=aws.client)


@pytest.fixture(scope="session")
def dynalite_endpoint() -> Iterator[str]:
    with dynalite() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def ministack_endpoint() -> Iterator[str]:
    with ministack() as endpoint:
        yield endpoint


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for `dynamodb` against each DynamoDB that has transactions."""
    if "dynamodb" in metafunc.fixturenames:
        given = ["given"] if metafunc.config.getoption("--dynamodb-endpoint") else []
        metafunc.parametrize("dynamodb", ["moto", "ministack", *given], indirect=True)


@pytest.fixture
def dynamodb(request: pytest.FixtureRequest, aws: EmbeddedAws) -> str:
    """Return an endpoint."""
    if request.param == "moto":
        return aws.endpoint
    if request.param == "ministack":
        return str(request.getfixturevalue("ministack_endpoint"))
    return str(request.config.getoption("--dynamodb-endpoint"))


@pytest.fixture
def make_table(dynamodb: str, aws: EmbeddedAws) -> Callable[[str], RoutingTable]:
    """Return what makes RoutingTables of one fresh stack, by actor: in that DynamoDB, the rest of AWS in moto."""
    return _maker(dynamodb, aws)


@pytest.fixture
def make_ministack_table(ministack_endpoint: str, aws: EmbeddedAws) -> Callable[[str], RoutingTable]:
    """The same, where the DynamoDB has to be another process."""
    return _maker(ministack_endpoint, aws)


def _maker(dynamodb: str, aws: EmbeddedAws) -> Callable[[str], RoutingTable]:
    stack = f"stack-{uuid.uuid4().hex[:12]}"
    make_tables(stack, dynamodb_client(dynamodb))

    def client(service: str, **options: Any) -> Any:
        return dynamodb_client(dynamodb) if service == "dynamodb" else aws.client(service, **options)

    return lambda actor: RoutingTable(stack, actor=actor, client=client)
