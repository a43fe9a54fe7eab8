"""Rules as people write them: read, or refused in a sentence, and what is read is what the edge can read again."""

from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_handler.routes.origin import CustomOrigin, S3Origin
from edge_handler.routes.path_rules import MAX_RULES, Rule, decode_rules, encode_rules, is_pattern
from edge_handler.routes.redirect import Redirect
from local_edge.embedded_aws import EmbeddedAws
from table_admin import InvalidInput, TargetRefused
from table_admin.path_rules import written_pattern
from table_admin.rule_targets import (
    RuleTarget,
    bare_target,
    parse_pattern,
    parse_rule_target,
    parse_rules,
    planned_rules,
)
from table_admin.targets import TargetResolver
from tests.support import STATIC

A = "s3://acme-static-sites/env-a"
API = "https://api.acme.example"


def planned(rules: dict[str, str | None], *before: Rule, **options: bool) -> dict[str, Rule]:
    found = planned_rules(before, parse_rules(rules), TargetResolver(), **options)
    return {rule.pattern: rule for rule in found}


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("/about", "/about"),
        ("/about/", "/about/"),
        ("/api/*", "/api/*"),
        ("/%61pi/v1/*", "/api/v1/*"),
        ("/caf%C3%A9", "/caf\u00e9"),
        ("/cafe\u0301", "/caf\u00e9"),
        ("/100%25", "/100%"),
        ("/%2541", "/%41"),
        ("/a b", "/a b"),
        ("/A", "/A"),
    ],
)
def test_a_pattern_is_decoded_once_and_in_form_c(text: str, pattern: str) -> None:
    assert parse_pattern(text) == pattern


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not a pattern"),
        ("api", "is not a pattern"),
        ("/search?q=a", "it has a query"),
        ("/a#b", "it has a query"),
        ("/*", "is all of a domain"),
        ("/%2A", "is all of a domain"),
        ("//api", "is not a pattern"),
        ("/a//b", "is not a pattern"),
        ("/a/*/b", "is not a pattern"),
        ("/a*", "is not a pattern"),
        ("*", "is not a pattern"),
        ("/a/../b", "is not a pattern"),
        ("/%2e%2e/b", "is not a pattern"),
        ("/..;/b", "is not a pattern"),
        ("/a\\b", "is not a pattern"),
        ("/a\nb", "is not a pattern"),
        ("/%00", "is not a pattern"),
        ("/%FF", "is not UTF-8"),
        ("/\udcff", "is not UTF-8"),
        ("/" + "a" * 255, "At most 255 characters"),
        ("/" + "\u00e9" * 50, "At most 255 characters"),
    ],
)
def test_what_is_no_pattern_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        parse_pattern(text)


@given(st.text("/a*%2eE.;\\ \u00e9\u0301\udcff\0=?#", max_size=14).map("/".__add__) | st.text())
@example("/%252e%252e")
def test_whatever_is_written_is_a_pattern_of_the_edges_or_refused(text: str) -> None:
    try:
        pattern = parse_pattern(text)
    except InvalidInput:
        return
    assert is_pattern(pattern)
    assert parse_pattern(quote(pattern, safe="/*")) == parse_pattern(written_pattern(pattern)) == pattern
    rules = (Rule(pattern, STATIC, 1),)
    assert decode_rules({"rules": encode_rules(rules)}) == rules


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (API, RuleTarget(API)),
        (f" {API} ", RuleTarget(API)),
        (f"strip:{API}", RuleTarget(API, strip_prefix=True)),
        (f"keep-host:{API}", RuleTarget(API, keep_host=True)),
        (f"strip: {API}", RuleTarget(API, strip_prefix=True)),
        (f"strip:keep-host:{API}", RuleTarget(API, strip_prefix=True, keep_host=True)),
        (f"keep-host:strip:{API}", RuleTarget(API, strip_prefix=True, keep_host=True)),
        ("/docs", RuleTarget("s3://bucket/docs")),
        ("strip:/docs", RuleTarget("s3://bucket/docs", strip_prefix=True)),
        ("redirect:301:/new", RuleTarget("redirect:301:/new")),
    ],
)
def test_what_is_written_for_a_pattern_is_read_and_written_the_same(text: str, found: RuleTarget) -> None:
    assert parse_rule_target(text, "bucket") == found
    assert parse_rule_target(str(found)) == found
    assert bare_target(str(found)) == found.target


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no target"),
        ("strip:", "has no target"),
        (f"strip:strip:{API}", "says strip: twice"),
        (f"strip:keep-host:strip:{API}", "says strip: twice"),
        ("/docs", "and none is"),
    ],
)
def test_what_cannot_be_written_for_a_pattern_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        parse_rule_target(text)


@given(st.lists(st.sampled_from(["strip:", "keep-host:", "redirect:", "301:", "/a", API, " ", ":", "x"])).map("".join))
def test_any_text_is_read_as_it_is_written_again_or_refused(text: str) -> None:
    try:
        found = parse_rule_target(text, "bucket")
    except InvalidInput:
        return
    assert parse_rule_target(str(found)) == found
    assert bare_target(str(found)) == found.target


def test_rules_resolve_each_for_itself(aws: EmbeddedAws) -> None:
    rules = {"/a/*": f"strip:{A}", "/k/*": f"keep-host:{API}", "/o": API, "/r": "redirect:302:https://x.example:8443/y"}
    found = {rule.pattern: rule for rule in planned_rules((), parse_rules(dict(rules)), TargetResolver(aws.client))}
    assert isinstance(found["/a/*"].origin, S3Origin)
    assert (found["/a/*"].strip_prefix, found["/a/*"].prefix) == (True, "/a")
    kept, own = found["/k/*"].origin, found["/o"].origin
    assert isinstance(kept, CustomOrigin)
    assert isinstance(own, CustomOrigin)
    assert (kept.host_header, own.host_header) == ("viewer", "origin")
    assert found["/r"].origin == Redirect("https://x.example:8443/y", 302)
    assert {rule.pattern: rule.target for rule in found.values()} == rules


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"strip:{API}", "strip: goes with a pattern that ends with /*"),
        ("keep-host:s3://acme-static-sites/x", "keep-host goes with an https:// target"),
        ("s3://acme-static-sites/_deployments/" + "0" * 32, "deployment"),
        ("redirect:300:/x", "status is one of 301, 302, 307, 308"),
        ("redirect://evil.example", "a redirect leads to"),
        ("redirect:/x?y=1", "no query"),
        ("redirect:https://user@x.example", "no query, fragment or user"),
        ("redirect:javascript:alert(1)", "a redirect leads to"),
        ("s3://no-such-bucket/x", "does not exist"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_its_pattern(aws: EmbeddedAws, text: str, why: str) -> None:
    with pytest.raises((InvalidInput, TargetRefused), match=why) as caught:
        planned_rules((), {"/a": text}, TargetResolver(aws.client))
    assert caught.value.pattern == "/a"
    assert str(caught.value).startswith("The rule for /a: ")


def test_rules_that_are_not_named_stay_as_they_are_without_being_asked_for_again() -> None:
    gone = Rule("/gone", STATIC, 1, False, "s3://no-such-bucket/x")
    assert planned({"/new": API}, gone).keys() == {"/gone", "/new"}
    assert planned({"/new": API}, gone)["/gone"] is gone
    assert planned({"/gone": None, "/never": None}, gone) == {}
    assert planned({"/new": API}, gone, whole=True).keys() == {"/new"}
    assert planned_rules((gone,), None, TargetResolver()) == (gone,)


def test_a_row_has_as_many_rules_as_the_edge_reads() -> None:
    most: dict[str, str | None] = {f"/{number}": API for number in range(MAX_RULES)}
    assert len(planned(most)) == MAX_RULES
    with pytest.raises(InvalidInput, match="201 rules; a domain has 200 at most"):
        planned(most | {"/more": API})
    assert len(planned({"/more": API, "/0": None}, *planned(most).values())) == MAX_RULES


def test_a_pattern_that_is_there_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match="/a is there twice"):
        parse_rules({"/a": API, "/%61": API})
