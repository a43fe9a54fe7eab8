import pytest

from table_admin import InvalidInput, NotFound, RoutingTable, TableAdminError, TargetRefused, environments
from table_admin.rollback import rollback

A, B = "s3://acme-static-sites/env-a", "s3://acme-static-sites/env-b"


def domains(table: RoutingTable) -> set[str]:
    return {route.domain for route in table.list()}


def test_an_environment_gets_a_url_per_service(table: RoutingTable) -> None:
    changes = environments.up(table, "env-42", "example.com", {"web": A, "api": B}, expires_in="7d")
    assert [(change.action, change.domain) for change in changes] == [
        ("created", "web-env-42.example.com"),
        ("created", "api-env-42.example.com"),
    ]
    routes = environments.show(table, "env-42")
    assert {(route.service, route.target) for route in routes} == {("web", A), ("api", B)}
    assert {route.lifetime for route in routes} == {"ephemeral"}
    (only,) = environments.up(table, "env-43", "example.com", {"": A})
    assert only.domain == "env-43.example.com"


def test_a_second_run_changes_nothing_and_a_new_target_one_route(table: RoutingTable) -> None:
    services = {"web": A, "api": B}
    environments.up(table, "env-42", "example.com", services)
    assert {change.action for change in environments.up(table, "env-42", "example.com", services)} == {"unchanged"}
    changed = environments.up(table, "env-42", "example.com", {"web": B})
    assert [(change.action, change.revision) for change in changed] == [("updated", 2)]
    assert len(environments.show(table, "env-42")) == 2


def test_all_of_it_is_created_or_nothing(table: RoutingTable) -> None:
    with pytest.raises(TargetRefused):
        environments.up(table, "env-42", "example.com", {"web": A, "api": "s3://no-such-bucket/x"})
    table.put("api-env-42.example.com", A, environment="somebody-elses")
    with pytest.raises(TableAdminError, match="belongs to the environment somebody-elses"):
        environments.up(table, "env-42", "example.com", {"web": A, "api": A})
    assert domains(table) == {"api-env-42.example.com"}


@pytest.mark.parametrize(
    ("name", "base", "services"),
    [
        ("Env_42", "example.com", {"web": A}),
        ("env-42", "example.com", {"-web": A}),
        ("env-42", "a..b", {"web": A}),
        ("e" * 60, "example.com", {"web": A}),
        ("", "example.com", {"": A}),
        ("env-42", "example.com", {}),
        ("env-42", "example.com", {f"s{n}": A for n in range(51)}),
    ],
)
def test_what_cannot_be_an_environment_is_refused(
    table: RoutingTable, name: str, base: str, services: dict[str, str]
) -> None:
    with pytest.raises(InvalidInput):
        environments.up(table, name, base, services)
    assert domains(table) == set()


def test_it_is_extended_as_a_whole_and_its_cache_stays_warm(table: RoutingTable) -> None:
    environments.up(table, "env-42", "example.com", {"web": A, "api": B}, expires_in="1h")
    changes = environments.extend(table, "env-42", expires_in="2d")
    assert [change.after and change.after.generation for change in changes] == [1, 1]
    assert len({route.expires_at for route in environments.show(table, "env-42")}) == 1
    environments.extend(table, "env-42", permanent=True)
    assert {route.expires_at for route in environments.show(table, "env-42")} == {None}
    for wrong in ({}, {"expires_in": "1h", "permanent": True}):
        with pytest.raises(InvalidInput):
            environments.extend(table, "env-42", **wrong)  # type: ignore[arg-type]


def test_production_is_promoted_together_and_back(table: RoutingTable) -> None:
    table.put("www.example.com", B)
    environments.up(table, "env-42", "example.com", {"web": A, "api": "https://api.acme.example"})
    changes = environments.promote(table, "env-42", {"www.example.com": "web", "api.example.com": "api"})
    assert [(change.action, change.after and change.after.target) for change in changes] == [
        ("updated", A),
        ("created", "https://api.acme.example"),
    ]
    www = table.get("www.example.com")
    assert (www.environment, www.note, www.lifetime) == ("www", "promoted from env-42", "permanent")
    rollback(table, ["www.example.com"])
    assert table.get("www.example.com").target == B
    with pytest.raises(NotFound, match="no service 'worker'; it has"):
        environments.promote(table, "env-42", {"www.example.com": "worker"})


def test_it_goes_down_with_everything_and_its_history_stays(table: RoutingTable) -> None:
    environments.up(table, "env-42", "example.com", {"web": A, "api": B})
    table.put("env-43.example.com", A)
    assert len(environments.down(table, "env-42", note="merged")) == 2
    assert domains(table) == {"env-43.example.com"}
    assert next(table.history("web-env-42.example.com")).note == "merged"
    with pytest.raises(NotFound):
        environments.down(table, "env-42")
    assert environments.up(table, "env-42", "example.com", {"web": A})[0].revision == 3


def test_environments_are_listed_with_what_matters(table: RoutingTable) -> None:
    environments.up(table, "env-42", "example.com", {"web": A, "api": B}, expires_in="1h")
    table.put("env-1.example.com", A)
    found = list(environments.summaries(table))
    assert [(one.name, one.routes, one.expires_at is None) for one in found] == [
        ("env-1", 1, True),
        ("env-42", 2, False),
    ]


def test_a_dry_run_says_and_does_nothing(table: RoutingTable) -> None:
    changes = environments.up(table, "env-42", "example.com", {"web": A}, dry_run=True)
    assert [change.action for change in changes] == ["created"]
    assert domains(table) == set()
    environments.up(table, "env-42", "example.com", {"web": A})
    environments.down(table, "env-42", dry_run=True)
    environments.extend(table, "env-42", expires_in="1h", dry_run=True)
    environments.promote(table, "env-42", {"www.example.com": ""}, dry_run=True)
    assert domains(table) == {"web-env-42.example.com"}
    assert table.get("web-env-42.example.com").revision == 1
