"""Who gets an answer of a domain and what goes with it, as people write it and as its writers handle it.

Five fields, the same in every place: `private`, `allow`, `noindex`, `headers`, `maintenance`.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from edge_handler.errors import BrokenRow
from edge_handler.routes.attributes import Item
from edge_handler.routes.policy import (
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_MESSAGE,
    MAX_NETWORKS,
    NEW,
    Maintenance,
    Policy,
    are_headers,
    decode_policy,
)
from table_admin.deployments.rule_lines import WrongLine
from table_admin.errors import InvalidInput
from table_admin.header_names import header_name
from table_admin.inputs import parse_duration

FIELDS = ("private", "allow", "noindex", "headers", "maintenance")
RETRY_AFTER = "10m"
NONE = "none"
"""What is said to take away what null cannot, a canary and a standby too: programs write null for no word."""
ONLY_HEADERS = "only_headers"
"""Beside FIELDS in what is said: headers that are not named are not spoken of any more."""
_MOST_RETRY_AFTER = 7 * 86_400

Said = Mapping[str, Any]
"""Some of FIELDS, checked: what is not there stays as it is. A header's value is None for one that is not spoken of."""


def parse_policy(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of a policy in a document's fields, other fields aside. Raises InvalidInput."""
    said: dict[str, Any] = {name: document[name] for name in (*FIELDS, ONLY_HEADERS) if name in document}
    if "allow" in said:
        said["allow"] = _networks(said["allow"] or ())
    if said.get(ONLY_HEADERS):
        said.setdefault("headers", {})
    if "headers" in said:
        said["headers"] = _headers(said["headers"] or {})
    if said.get("maintenance") is not None:
        said["maintenance"] = _maintenance(said["maintenance"])
    return said


def said_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a file's line or of a request that say something, for `parse_policy`.

    Null says nothing, as for other fields, and NONE takes away.
    """
    given = {name: body[name] for name in (*FIELDS, ONLY_HEADERS) if body.get(name) not in (None, False, NONE)}
    gone = {name: None for name in ("noindex", "maintenance") if body.get(name) == NONE}
    refused = {name: False for name in ("private", "noindex") if body.get(name) is False}
    return given | gone | refused


def planned_policy(before: Policy | None, said: Said | None, *, whole: bool = False) -> Policy | None:
    """Return a row's policy with what is said of it.

    Args:
        before: what it has.
        said: see `parse_policy`; None for no change.
        whole: what is not said goes; but maintenance, which is no wish that a file has.

    Raises:
        InvalidInput: there would be too much of it.
    """
    policy = before or Policy()
    if whole:
        policy = Policy(private=policy.private * bool((said or {}).get("private")), maintenance=policy.maintenance)
    for name, value in (said or {}).items():
        if name == "private":
            policy = policy._replace(private=(policy.private or NEW) if value else 0)
        elif name == "headers":
            found = ({} if said and said.get(ONLY_HEADERS) else dict(policy.headers)) | value
            headers = tuple((one, found[one]) for one in sorted(found) if found[one] is not None)
            if not are_headers(headers):
                raise InvalidInput(
                    f"Too many headers: {MAX_HEADERS} at most, of {MAX_HEADER_BYTES:,} characters in all."
                )
            policy = policy._replace(headers=headers)
        elif name == "maintenance" and value is not None:
            since = policy.maintenance.since if policy.maintenance is not None else NEW
            policy = policy._replace(maintenance=Maintenance(since, *value))
        elif name != ONLY_HEADERS:
            policy = policy._replace(**{name: value})
    return policy if policy != Policy() else None


def renewed_policy(policy: Policy | None, current: Policy | None) -> Policy | None:
    """Return a policy of another time for now: what was signed then is good for nothing that is private anew."""
    if policy is None:
        return None
    private = (current.private if current is not None else 0) or NEW
    maintenance = policy.maintenance and policy.maintenance._replace(since=NEW)
    return policy._replace(private=private if policy.private else 0, maintenance=maintenance)


def restored_policy(policy: Policy | None, current: Policy | None) -> Policy | None:
    """Return a policy of another time for a row that is there; its maintenance is the row's.

    That is on while somebody mends, by a rollback say, which neither ends it nor brings one back that is over.
    """
    found = renewed_policy(policy, current) or Policy()
    found = found._replace(maintenance=current.maintenance if current is not None else None)
    return found if found != Policy() else None


def keeps_out(policy: Policy | None) -> bool:
    """Tell whether there is somebody whom a policy refuses, maintenance aside."""
    return policy is not None and bool(policy.private or policy.allow)


def policy_of_broken(item: Item | None) -> Policy | None:
    """Return the policy of a row that cannot be read for something else: who mends that does not open it to everybody.

    Raises InvalidInput where it cannot be read itself.
    """
    if item is None or "policy" not in item:
        return None
    try:
        return decode_policy(item["policy"]["M"])
    except (BrokenRow, AttributeError, KeyError, TypeError) as error:
        raise InvalidInput(
            "The row is broken, and so is what it says of who gets an answer: delete it, then put it with all that it "
            "shall say, --private for one."
        ) from error


def asked_policy(policy: Policy | None) -> Policy | None:
    """Return what people ask for by a policy: not since when."""
    if policy is None:
        return None
    maintenance = policy.maintenance and policy.maintenance._replace(since=1)
    return policy._replace(private=int(policy.private != 0), maintenance=maintenance)


def lasting_policy(policy: Policy | None) -> Policy | None:
    """Return what people ask for by a policy for good: without maintenance, which is for a while."""
    return asked_policy(restored_policy(policy, None))


def policy_in_revision(item: Any, revision: int) -> Any:
    """Return the `policy` attribute of a row as a revision has it: what is new in it is since then."""
    new, since = {"N": str(NEW)}, {"N": str(revision)}
    try:
        policy = dict(item["M"])
        if policy.get("private") == new:
            policy["private"] = since
        if "maintenance" in policy and policy["maintenance"]["M"]["since"] == new:
            policy["maintenance"] = {"M": policy["maintenance"]["M"] | {"since": since}}
    except (AttributeError, KeyError, TypeError):
        return item  # of a broken row that is deleted
    return {"M": policy}


def policy_document(policy: Policy | None) -> dict[str, Any]:
    """Return the fields as documents have them, each of them, and as `parse_policy` reads them again."""
    policy = policy or Policy()
    maintenance = policy.maintenance
    return {
        "private": policy.private != 0,
        "allow": [*policy.allow],
        "noindex": policy.noindex,
        "headers": dict(policy.headers),
        "maintenance": None
        if maintenance is None
        else {"retry_after": maintenance.retry_after, "message": maintenance.message},
    }


def _networks(texts: Any) -> tuple[str, ...]:
    if isinstance(texts, str):
        texts = [texts]
    found = []
    for text in texts:
        try:
            network = ipaddress.ip_network(str(text).strip())
        except ValueError as error:
            raise InvalidInput(
                f"{str(text)[:60]!r} is no network: {error}; write an address or CIDR, 203.0.113.0/24 or 2001:db8::/32."
            ) from error
        if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped is not None:
            raise InvalidInput(f"{str(text)[:60]!r} is an IPv4 network written as IPv6; write it as IPv4.")
        found.append(str(network))
    if len(set(found)) > MAX_NETWORKS:
        raise InvalidInput(f"{len(set(found))} networks; {MAX_NETWORKS} at most.")
    return tuple(sorted(set(found)))


def _headers(headers: Mapping[str, Any]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for written, value in headers.items():
        try:
            name = header_name(str(written))
        except WrongLine as error:
            raise InvalidInput(f"headers: {error}") from error
        if name in found:
            raise InvalidInput(f"headers: {name} is there twice.")
        if value == "" and name == "content-type":
            raise InvalidInput("headers: without a Content-Type browsers guess one; set another instead.")
        text = value.strip() if isinstance(value, str) else value
        if text is not None and not (isinstance(text, str) and text.isascii() and (not text or text.isprintable())):
            raise InvalidInput(
                f"headers: the value of {name} is not ASCII text, which is all that a header is safe with."
            )
        found[name] = text
    return found


def _maintenance(said: Mapping[str, Any]) -> tuple[int, str]:
    wait = said.get("retry_after", RETRY_AFTER)
    # YAML's numbers come as text.
    seconds = int(wait) if isinstance(wait, int) or re.fullmatch("[0-9]{1,9}", wait) else parse_duration(wait)
    message = (said.get("message") or "").strip()
    if not 1 <= seconds <= _MOST_RETRY_AFTER:
        raise InvalidInput("maintenance: retry_after is between a second and 7 days.")
    if len(message) > MAX_MESSAGE or not (not message or message.isprintable()):
        raise InvalidInput(f"maintenance: a message is a line of {MAX_MESSAGE} characters at most.")
    return seconds, message
