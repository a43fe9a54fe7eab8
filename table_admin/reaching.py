"""How a browser gets to the edge, looked at for doctor: alternate domain names, certificate, DNS.

A `*` is one label in a certificate, and as many as there are in an alternate domain name and in DNS:
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/alternate-domain-names-wildcard.html, RFC 4592
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edge_handler.routes.wildcards import is_under, is_wildcard
from table_admin.asking import ask
from table_admin.finding import Finding
from table_admin.routing_table import RoutingTable

_ADDRESSES = ("A", "AAAA", "CNAME")


@dataclass(frozen=True, slots=True)
class Distribution:
    """What is asked of one."""

    id: str
    domain_name: str
    aliases: tuple[str, ...]
    certificate: str
    cache_policy: str
    """Its id; empty where the default behavior has none."""


def find_distribution(table: RoutingTable, domain: str) -> Iterator[Finding] | Any:
    """Find the one that answers for a domain, else the stack's: by its comment, which the template writes."""
    found, problem = ask(lambda: [*_distributions(table)])
    if found is None:
        yield Finding("distribution", "unknown", problem, "Grant cloudfront:ListDistributions.")
        return None
    # The most specific name counts, whichever distribution has it.
    covering = [(len(alias), alias, one) for one, _ in found for alias in one.aliases if answers_for(alias, domain)]
    ours = [one for one, comment in found if comment.startswith(f"{table.stack} ")]
    if covering:
        _, alias, one = max(covering, key=lambda each: each[0])
        its = "it" if alias == domain else alias
        yield Finding("distribution", "ok", f"{one.id} has {its} among its alternate domain names.")
        return one
    if ours:
        mend = f"Add {domain} to its aliases in template.yaml; there is room for 100."
        few = [alias for alias in ours[0].aliases if is_wildcard(domain) and is_under(alias, domain)]
        only = f", only {', '.join(few)}" if few else ""
        text = f"No alternate domain name of {ours[0].id} covers it{only}."
        yield Finding("distribution", "wrong", text, mend)
        return ours[0]
    mend = f"Deploy template.yaml, or name its stack: --stack (now {table.stack})."
    yield Finding("distribution", "wrong", "No distribution answers for it.", mend)
    return None


def _distributions(table: RoutingTable) -> Iterator[tuple[Distribution, str]]:
    for page in table.client("cloudfront").get_paginator("list_distributions").paginate():
        for item in page["DistributionList"].get("Items", ()):
            certificate = item.get("ViewerCertificate", {}).get("ACMCertificateArn", "")
            aliases = tuple(item.get("Aliases", {}).get("Items", ()))
            policy = item["DefaultCacheBehavior"].get("CachePolicyId", "")
            yield Distribution(item["Id"], item["DomainName"], aliases, certificate, policy), item.get("Comment", "")


def certificate(table: RoutingTable, domain: str, distribution: Distribution) -> Iterator[Finding]:
    """Say whether browsers take the distribution's certificate for a domain; of a wildcard's names, for which."""
    first, deep = f"*.{domain.partition('.')[2]}", example_of(domain, "a.b")
    mend = f"Give the distribution a certificate in us-east-1 for {' or '.join(dict.fromkeys((domain, first)))}."
    if not distribution.certificate:
        yield Finding("certificate", "wrong", "The distribution has the one of cloudfront.net only.", mend)
        return
    acm = table.client("acm", region_name="us-east-1")
    answer, problem = ask(lambda: acm.describe_certificate(CertificateArn=distribution.certificate)["Certificate"])
    if answer is None:
        yield Finding("certificate", "unknown", problem, "Grant acm:DescribeCertificate.")
        return
    names = [*dict.fromkeys((answer["DomainName"], *answer.get("SubjectAlternativeNames", ())))]
    covering = next((name for name in names if covers(name, domain)), "")
    if not covering:
        yield Finding("certificate", "wrong", f"It is for {', '.join(names)}.", mend)
    elif answer.get("Status") != "ISSUED":
        text = f"It is {answer.get('Status')}, not issued."
        yield Finding("certificate", "wrong", text, "Put its validation record into the zone, and wait.")
    else:
        such = f", {example_of(domain)} say" if is_wildcard(domain) else ""
        yield Finding("certificate", "ok", f"{covering} covers it{such}.")
    if covering and is_wildcard(domain):
        more = [name for name in names if name != domain and is_under(name, domain)]
        text = f"Names below that are not covered, {deep} say: a * is one label in a certificate."
        if more:
            text += f" Of them it has {', '.join(more)}."
        mend = f"Where such names are used, give the certificate one for each level: *.{deep.partition('.')[2]}."
        yield Finding("deeper names", "unknown", text, mend)


def dns(table: RoutingTable, domain: str, distribution: Distribution) -> Iterator[Finding]:
    """Say where a domain's name leads."""
    answer, problem = ask(lambda: _addresses(table, domain))
    if answer is None:
        yield Finding("dns", "unknown", problem, "Grant route53:ListHostedZones and ListResourceRecordSets.")
        return
    name, targets = answer
    if not targets:
        mend = f"Point {domain} at {distribution.domain_name} where its DNS is."
        yield Finding("dns", "unknown", "No zone of this account has a name for it.", mend)
    elif targets == {distribution.domain_name}:
        yield Finding("dns", "ok", f"{name} points at {distribution.domain_name}.")
    else:
        mend = f"Make it an alias of {distribution.domain_name}."
        yield Finding("dns", "wrong", f"{name} points at {', '.join(sorted(targets))}.", mend)


def _addresses(table: RoutingTable, domain: str) -> tuple[str, set[str]]:
    """Return the name of the records that DNS would find, and what they point at."""
    records = [*_records(table, domain)]
    names = {name for name, _, _ in records}
    name = _found_by_dns(domain, names)
    found = (target for one, kind, target in records if one == name and kind in _ADDRESSES)
    return name, {target.rstrip(".") for target in found}


def _found_by_dns(domain: str, names: set[str]) -> str:
    """Return the name that answers for a domain: its own; else the wildcard beside the closest name that exists."""
    if domain in names:
        return domain
    # A name exists where others are below it, too.
    existing = {name[at:] for name in names for at in _labels(name)}
    if domain in existing:
        return domain
    closest = next((domain[at:] for at in _labels(domain) if domain[at:] in existing), "")
    return f"*.{closest}"


def _labels(name: str) -> list[int]:
    """Return where each label of a name begins."""
    return [0, *(at + 1 for at, character in enumerate(name) if character == ".")]


def _records(table: RoutingTable, domain: str) -> Iterator[tuple[str, str, str]]:
    """Yield name, type and target of the records of the zones that a domain is in."""
    route53 = table.client("route53")
    for page in route53.get_paginator("list_hosted_zones").paginate():
        for zone in page["HostedZones"]:
            if f"{domain}.".endswith((f".{zone['Name']}", zone["Name"])) and not zone["Config"].get("PrivateZone"):
                pages = route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone["Id"])
                for record in (record for one in pages for record in one["ResourceRecordSets"]):
                    name = record["Name"].replace("\\052", "*").rstrip(".")
                    values = [value["Value"] for value in record.get("ResourceRecords", ())]
                    yield name, record["Type"], record.get("AliasTarget", {}).get("DNSName") or ", ".join(values)


def example_of(domain: str, label: str = "a") -> str:
    """Return a host that a domain's row answers for: one of a wildcard's."""
    return domain.replace("*", label, 1)


def answers_for(alias: str, domain: str) -> bool:
    """Tell whether an alternate domain name is for a domain, for all names of a wildcard."""
    return alias == domain or (is_wildcard(alias) and is_under(domain, alias))


def covers(name: str, domain: str) -> bool:
    """Tell whether a certificate's name is for a domain; for those one label below it, where that is a wildcard."""
    return name == domain or (is_wildcard(name) and domain.partition(".")[2] == name[2:])
