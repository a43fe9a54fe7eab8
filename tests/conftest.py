import itertools
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable
from tests.support import dynalite, make_tables

settings.register_profile("default", deadline=None)
settings.load_profile("default")
# Tests never reach an AWS account, whatever the machine they run on is configured for.
os.environ |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1"}
os.environ |= {"AWS_EC2_METADATA_DISABLED": "true", "SAM_CLI_TELEMETRY": "0"}
_stacks = itertools.count(1)


@pytest.fixture(scope="session")
def aws() -> Iterator[EmbeddedAws]:
    found = EmbeddedAws(0)
    found.client("s3").create_bucket(Bucket="acme-static-sites")
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
