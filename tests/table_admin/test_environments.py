import io
import time
from typing import Any

import pytest

from edge_handler.routes.route import encode_route
from local_edge.embedded_aws import EmbeddedAws
from table_admin import InvalidInput, NotFound, RoutingTable, TableAdminError, TargetRefused, environments
from table_admin.bulk import export_routes, import_routes
from table_admin.files import Format
from table_admin.ownership import Taken
from table_admin.promotions import StillServed, promote
from table_admin.rollback import rollback
from tests.support import NOW, STATIC, route

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
        ("e" * 64, "example.com", {"web": A}),
        ("env-42", "", {"web": A}),
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
    changes = promote(table, "env-42", {"www.example.com": "web", "api.example.com": "api"})
    assert [(change.action, change.after and change.after.target) for change in changes] == [
        ("updated", A),
        ("created", "https://api.acme.example"),
    ]
    www = table.get("www.example.com")
    assert (www.environment, www.note, www.lifetime) == ("www", "promoted from env-42", "permanent")
    rollback(table, ["www.example.com"])
    assert table.get("www.example.com").target == B
    with pytest.raises(NotFound, match="no service 'worker'; it has"):
        promote(table, "env-42", {"www.example.com": "worker"})


def test_a_second_promotion_finds_it_done_also_when_its_environment_is_gone(table: RoutingTable) -> None:
    environments.up(table, "rel-2", "example.com", {"web": A, "api": B})
    wanted = {"www.example.com": "web", "api.example.com": "api"}
    promote(table, "rel-2", wanted)
    assert next(table.history("web-rel-2.example.com")).note == "promoted to www.example.com"
    assert {change.action for change in promote(table, "rel-2", wanted)} == {"unchanged"}
    assert len([*table.history("web-rel-2.example.com")]) == 2
    environments.down(table, "rel-2", force=True)
    assert {change.action for change in promote(table, "rel-2", wanted)} == {"unchanged"}
    for other in ({"www.example.com": "api"}, {"elsewhere.example.com": "web"}, {**wanted, "new.example.com": "web"}):
        with pytest.raises(NotFound, match="rel-2 has expired or was removed"):
            promote(table, "rel-2", other)
    with pytest.raises(NotFound, match="no environment rel-3"):
        promote(table, "rel-3", wanted)


def test_what_has_expired_is_not_promoted(table: RoutingTable) -> None:
    environments.up(table, "pr-8", "example.com", {"": A}, expires_in="1h")
    later = time.time() + 7200
    table.clock = lambda: later
    with pytest.raises(NotFound, match="pr-8 has expired"):
        promote(table, "pr-8", {"www.example.com": ""})
    assert domains(table) == {"pr-8.example.com"}


def test_an_environment_is_promoted_to_a_domain_of_its_own(table: RoutingTable) -> None:
    environments.up(table, "shop", "example.com", {"new": A, "old": B})
    (change,) = promote(table, "shop", {"old-shop.example.com": "new"})
    assert (change.domain, change.after and change.after.target) == ("old-shop.example.com", A)


def test_it_goes_down_with_everything_and_its_history_stays(table: RoutingTable) -> None:
    environments.up(table, "env-42", "example.com", {"web": A, "api": B})
    table.put("env-43.example.com", A)
    assert len(environments.down(table, "env-42", note="merged")) == 2
    assert domains(table) == {"env-43.example.com"}
    assert next(table.history("web-env-42.example.com")).note == "merged"
    assert environments.down(table, "env-42") == []
    assert environments.up(table, "env-42", "example.com", {"web": A})[0].revision == 3


def test_a_row_that_was_only_put_is_nobodys_to_extend_or_remove(table: RoutingTable) -> None:
    table.put("docs.example.com", B)
    with pytest.raises(Taken, match="env adopt docs"):
        environments.up(table, "docs", "example.com", {"": A})
    environments.up(table, "docs", "example.com", {"web": A}, expires_in="1h")
    left: list[str] = []
    environments.extend(table, "docs", expires_in="2h", on_left=lambda domain, _: left.append(domain))
    environments.down(table, "docs", on_left=lambda domain, _: left.append(domain))
    assert left == ["docs.example.com", "docs.example.com"]
    only = table.get("docs.example.com")
    assert (only.expires_at, only.revision, domains(table)) == (None, 1, {"docs.example.com"})
    with pytest.raises(NotFound, match=r"take in docs\.example\.com"):
        environments.extend(table, "docs", permanent=True)


def test_what_is_adopted_goes_with_its_environment(table: RoutingTable) -> None:
    table.put("docs.example.com", B)
    assert [change.action for change in environments.adopt(table, "docs", note="mine")] == ["updated"]
    adopted = table.get("docs.example.com")
    assert (adopted.managed, adopted.generation, adopted.note) == (True, 1, "mine")
    assert [change.action for change in environments.adopt(table, "docs")] == ["unchanged"]
    assert len(environments.down(table, "docs")) == 1
    with pytest.raises(NotFound):
        environments.adopt(table, "docs")


def test_what_is_put_with_an_environment_is_its_own(table: RoutingTable) -> None:
    table.put("www.example.com", B, environment="shop")
    table.put("shop.example.com", B)
    assert [change.domain for change in environments.down(table, "shop")] == ["www.example.com"]


@pytest.mark.parametrize(
    ("changes", "managed"),
    [
        ({}, False),
        ({"lifetime": "ephemeral", "expires_at": int(NOW * 2)}, True),
        ({"service": "web"}, True),
        ({"environment": "shop"}, True),
    ],
)
def test_rows_of_before_are_managed_by_what_they_say(
    table: RoutingTable, aws: EmbeddedAws, changes: dict[str, Any], managed: bool
) -> None:
    origin = STATIC._replace(prefix="/env-a")
    before = route("env-1.example.com", origin, target=A, environment="env-1")._replace(**changes)
    item = encode_route(before)
    assert not {"managed", "source"} & set(item)
    aws.client("dynamodb").put_item(TableName=table.tables.routes, Item=item)
    assert table.put("env-1.example.com", A, permanent=before.expires_at is None).action == "unchanged"
    changed = table.put("env-1.example.com", B).after
    assert changed is not None
    assert changed.managed is managed
    aws.client("dynamodb").put_item(TableName=table.tables.routes, Item=item)
    assert len(environments.down(table, before.environment, dry_run=True)) == managed


def test_a_domain_that_is_promoted_does_not_go_with_an_environment_of_its_name(table: RoutingTable) -> None:
    environments.up(table, "rel-2", "example.com", {"web": A})
    promote(table, "rel-2", {"rel-1.example.com": "web"})
    assert environments.down(table, "rel-1") == []
    promoted = table.get("rel-1.example.com")
    assert (promoted.target, promoted.managed, promoted.source) == (A, False, "env:rel-2")
    again = promote(table, "rel-2", {"rel-1.example.com": "web"})
    assert [change.action for change in again] == ["unchanged"]
    environments.up(table, "rel-3", "example.com", {"web": A}, expires_in="1h")
    with pytest.raises(Taken, match="goes with it"):
        promote(table, "rel-2", {"web-rel-3.example.com": ""})
    later = time.time() + 7200
    table.clock = lambda: later
    promote(table, "rel-2", {"web-rel-3.example.com": ""})
    assert environments.down(table, "rel-3") == []


def test_an_environment_is_of_one_branch(table: RoutingTable) -> None:
    environments.up(table, "feature-abc", "example.com", {"web": A}, source="feature/ABC")
    assert table.get("web-feature-abc.example.com").source == "feature/ABC"
    with pytest.raises(Taken, match="is of feature/ABC, not of feature/abc"):
        environments.up(table, "feature-abc", "example.com", {"api": B}, source="feature/abc")
    with pytest.raises(Taken):
        environments.down(table, "feature-abc", source="feature/abc")
    environments.up(table, "feature-abc", "example.com", {"web": B}, source="feature/abc", take_over=True)
    assert (table.get("web-feature-abc.example.com").source, len(domains(table))) == ("feature/abc", 1)
    for empty in ("", " "):
        with pytest.raises(InvalidInput):
            environments.up(table, "feature-abc", "example.com", {"web": B}, source=empty)


def test_who_names_no_source_does_not_change_what_a_source_made(table: RoutingTable) -> None:
    environments.up(table, "q-1", "example.com", {"web": A, "api": A}, source="feature/q 1")
    with pytest.raises(Taken, match=r"is of feature/q 1; say --source 'feature/q 1', or take it over: --take-over"):
        environments.up(table, "q-1", "example.com", {"web": B})
    assert len(environments.extend(table, "q-1", expires_in="1d")) == 2
    # What is taken over is nobody's, also the part that is not named: else the next run would be refused.
    for action in ("updated", "unchanged"):
        changes = environments.up(table, "q-1", "example.com", {"web": B}, take_over=True)
        assert changes[0].action == action
        assert {route.source for route in environments.show(table, "q-1")} == {""}
    assert environments.up(table, "q-1", "example.com", {"web": B})[0].action == "unchanged"
    assert len(environments.down(table, "q-1")) == 2


def test_what_is_taken_over_is_whole(table: RoutingTable) -> None:
    environments.up(table, "q-1", "example.com", {"web": A, "api": A}, source="one")
    table.put("q-1.example.com", A, environment="q-1")  # nobody's, and stays so
    changes = environments.up(table, "q-1", "example.com", {"web": B}, source="other", take_over=True, note="mine")
    assert {(change.domain, change.action) for change in changes} == {
        ("web-q-1.example.com", "updated"),
        ("api-q-1.example.com", "updated"),
    }
    api = table.get("api-q-1.example.com")
    assert (api.source, api.target, api.generation, api.note) == ("other", A, 1, "mine")
    assert environments.up(table, "q-1", "example.com", {"web": B}, source="other")[0].action == "unchanged"
    assert (table.get("q-1.example.com").source, table.get("q-1.example.com").revision) == ("", 1)
    with pytest.raises(Taken, match="to remove it nevertheless: table-admin env down q-1"):
        environments.down(table, "q-1", source="one")


def test_what_was_promoted_over_a_url_is_no_source_that_keeps_people_off(table: RoutingTable) -> None:
    environments.up(table, "shop", "example.com", {"": A})
    environments.up(table, "rel-2", "example.com", {"": B})
    promote(table, "rel-2", {"shop.example.com": ""})
    assert environments.up(table, "shop", "example.com", {"": B}, take_over=True)[0].action == "unchanged"
    assert table.get("shop.example.com").source == "env:rel-2"
    assert environments.up(table, "shop", "example.com", {"": A})[0].action == "updated"


def test_what_had_expired_says_how_long_it_is_to_live_now(table: RoutingTable) -> None:
    for name in ("pr-8", "pr-9"):
        environments.up(table, name, "example.com", {"web": A, "api": A}, expires_in="1h")
    table.put("one.example.com", A, expires_in="1h")
    later = int(time.time()) + 7200
    table.clock = lambda: later
    for services in ({"web": A}, {"web": B, "api": B}, {"new": A}):
        for _ in range(2):
            with pytest.raises(InvalidInput, match=r"The environment pr-8 had expired; say how long .* --permanent"):
                environments.up(table, "pr-8", "example.com", services)
    for environment in (None, "other"):
        with pytest.raises(InvalidInput, match=r"one\.example\.com had expired"):
            table.put("one.example.com", B, environment=environment)
    environments.up(table, "pr-8", "example.com", {"web": A}, expires_in="1h")
    # Of an environment that lives again, what has expired lives as long as the rest.
    environments.up(table, "pr-8", "example.com", {"api": A})
    assert table.get("api-pr-8.example.com").expires_at == later + 3600
    environments.up(table, "pr-9", "example.com", {"web": A}, permanent=True)
    with pytest.raises(InvalidInput, match=r"api-pr-9\.example\.com had expired"):
        environments.up(table, "pr-9", "example.com", {"web": A, "api": A})
    assert table.get("web-pr-9.example.com").expires_at is None


def test_a_default_expiry_is_that_of_an_environment_without_a_live_route(table: RoutingTable) -> None:
    table.put("docs.example.com", B)  # production's, which the environment of its first label does not manage
    environments.up(table, "docs", "example.com", {"web": A}, default_expires_in="7d")
    expiry = table.get("web-docs.example.com").expires_at
    assert expiry is not None
    environments.up(table, "docs", "example.com", {"web": A, "api": A}, default_expires_in="1d")
    assert table.get("api-docs.example.com").expires_at == expiry
    table.put("docs.example.com", A, default_expires_in="7d")
    assert table.get("docs.example.com").expires_at is None
    later = expiry + 10
    table.clock = lambda: later
    environments.up(table, "docs", "example.com", {"web": A}, default_expires_in="7d")
    table.put("api-docs.example.com", A, default_expires_in="7d")
    expiries = {route.service: route.expires_at for route in environments.show(table, "docs")}
    assert expiries == {"": None, "web": later + 7 * 86400, "api": later + 7 * 86400}
    environments.up(table, "kept", "example.com", {"": A}, permanent=True, default_expires_in="7d")
    environments.up(table, "kept", "example.com", {"": A, "web": A}, default_expires_in="7d")
    assert {route.expires_at for route in environments.show(table, "kept")} == {None}
    table.put("job-kept.example.com", A, environment="kept", service="job", expires_in="1h")
    table.clock = lambda: later + 7200
    changes = environments.up(table, "kept", "example.com", {"": A, "job": A}, default_expires_in="1d")
    assert [change.after and change.after.expires_at for change in changes] == [None, later + 7200 + 86400]


def test_what_is_new_in_an_ephemeral_environment_expires_with_it(table: RoutingTable) -> None:
    environments.up(table, "env-42", "example.com", {"web": A}, expires_in="1h")
    expiry = table.get("web-env-42.example.com").expires_at
    environments.up(table, "env-42", "example.com", {"web": A, "api": B})
    assert table.get("api-env-42.example.com").expires_at == expiry
    table.put("env-42.example.com", A, environment="env-42")
    assert table.get("env-42.example.com").expires_at == expiry
    environments.up(table, "env-42", "example.com", {"job": B}, permanent=True)
    assert table.get("job-env-42.example.com").expires_at is None
    table.put("env-42.example.org", A)
    assert table.get("env-42.example.org").expires_at is None


def test_what_is_not_named_is_named_or_pruned(table: RoutingTable) -> None:
    environments.up(table, "env-42", "example.com", {"web": A, "api": B})
    left: list[str] = []
    environments.up(
        table, "env-42", "example.com", {"web": A}, on_left=lambda domain, why: left.append(f"{domain} {why}")
    )
    assert left == ["api-env-42.example.com it is not named; --prune removes it"]
    shown = environments.up(table, "env-42", "example.com", {"web": A}, prune=True, dry_run=True)
    assert [(change.action, change.domain) for change in shown] == [
        ("unchanged", "web-env-42.example.com"),
        ("deleted", "api-env-42.example.com"),
    ]
    assert len(domains(table)) == 2
    promote(table, "env-42", {"api.example.com": "api"})
    with pytest.raises(StillServed, match=r"api\.example\.com from s3"):
        environments.up(table, "env-42", "example.com", {"web": A}, prune=True)
    environments.up(table, "env-42", "example.com", {"web": A}, prune=True, force=True)
    assert domains(table) == {"web-env-42.example.com", "api.example.com"}


def test_what_production_was_promoted_to_is_not_taken_down(table: RoutingTable) -> None:
    environments.up(table, "pr-8", "example.com", {"": "s3://acme-static-sites/pr-8"}, expires_in="1h")
    promote(table, "pr-8", {"www.example.com": ""})
    with pytest.raises(StillServed, match=r"www\.example\.com from s3://acme-static-sites/pr-8"):
        environments.down(table, "pr-8")
    # Also when its rows have gone by themselves: what a pipeline does next is to remove the files.
    table.delete("pr-8.example.com")
    with pytest.raises(StillServed):
        environments.down(table, "pr-8")
    assert environments.down(table, "pr-8", force=True) == []
    table.put("www.example.com", B)
    assert environments.down(table, "pr-8") == []


def test_what_a_person_sent_to_its_own_prefix_keeps_it_too(table: RoutingTable) -> None:
    shared = "s3://acme-static-sites/assets"
    environments.up(table, "pr-8", "example.com", {"web": "s3://acme-static-sites/pr-8/web", "assets": shared})
    table.put("assets.example.com", shared)
    table.put("www.example.com", "s3://acme-static-sites/pr-8/web/en")
    with pytest.raises(StillServed, match=r"www\.example\.com from"):
        environments.down(table, "pr-8", dry_run=True)
    table.delete("www.example.com")
    assert len(environments.down(table, "pr-8")) == 2


@pytest.mark.parametrize(
    ("target", "production", "kept"),
    [
        ("s3://acme-static-sites/pr-8/c1", "s3://acme-static-sites/pr-8", True),  # a parent of what is its own
        ("s3://acme-static-sites/pr-8/c2", "s3://acme-static-sites/pr-8/c1", True),  # an earlier push
        ("s3://acme-static-sites/sites/pr-8/c1", "s3://acme-static-sites/sites/pr-8", True),
        ("s3://acme-static-sites/sites/pr-8/c1", "s3://acme-static-sites/sites", False),
        ("s3://acme-static-sites/pr-8", "s3://acme-static-sites/pr-88", False),
        ("https://pr-8.internal.example.com", "https://pr-8.internal.example.com", True),
        ("https://ingress.example.com", "https://ingress.example.com", False),
    ],
)
def test_what_is_an_environments_own_is_kept_while_it_is_served(
    table: RoutingTable, target: str, production: str, kept: bool
) -> None:
    environments.up(table, "pr-8", "example.com", {"": target})
    table.put("www.example.com", production)
    if kept:
        with pytest.raises(StillServed):
            environments.down(table, "pr-8")
    else:
        assert len(environments.down(table, "pr-8")) == 1


def test_what_was_promoted_stays_so_however_its_target_is_written(table: RoutingTable) -> None:
    environments.up(table, "pr-8", "example.com", {"": A, "api": "https://api.example.com"})
    promote(table, "pr-8", {"www.example.com": "", "api.example.com": "api"})
    table.put("www.example.com", f"{A}/")
    with pytest.raises(StillServed, match=r"api\.example\.com from https://api.*, www\.example\.com from s3"):
        environments.down(table, "pr-8")


@pytest.mark.parametrize("form", ["jsonl", "csv", "yaml"])
def test_what_is_managed_survives_export_and_import(table: RoutingTable, form: Format) -> None:
    environments.up(table, "env-42", "example.com", {"": A}, source="feature/42")
    promote(table, "env-42", {"www.example.com": ""})
    out = io.StringIO()
    export_routes(table.list(), out, form)
    for found in [*table.list()]:
        table.delete(found.domain)
    assert import_routes(table, io.StringIO(out.getvalue()), form).created == 2
    with pytest.raises(StillServed):
        environments.down(table, "env-42")
    assert table.get("env-42.example.com").source == "feature/42"
    assert len(environments.down(table, "env-42", force=True)) == 1


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
    promote(table, "env-42", {"www.example.com": ""}, dry_run=True)
    assert domains(table) == {"web-env-42.example.com"}
    assert table.get("web-env-42.example.com").revision == 1
