"""Policies that a row may have, for properties that hold of all of them."""

import ipaddress
import string

from hypothesis import strategies as st

from edge_handler.routes.header_names import is_settable
from edge_handler.routes.policy import MAX_HEADERS, MAX_MESSAGE, MAX_NETWORKS, Maintenance, Policy, are_headers

PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
_names = st.text(string.ascii_lowercase + string.digits + "!#$%&'*+-.^_`|~", min_size=1, max_size=30)
HEADERS = (
    st.dictionaries(
        st.sampled_from(["cache-control", "content-security-policy", "x-frame-options", "x-robots-tag"])
        | _names.filter(is_settable),
        st.text(PRINTABLE, max_size=60).map(str.strip),
        max_size=MAX_HEADERS,
    )
    .map(lambda found: tuple(sorted(found.items())))
    .filter(are_headers)
)
_networks = (st.ip_addresses(v=4, network="0.0.0.0/0") | st.ip_addresses(v=6)).flatmap(
    lambda address: st.integers(0, address.max_prefixlen).map(
        lambda length: str(ipaddress.ip_network((address, length), strict=False))
    )
)
POLICIES = st.builds(
    Policy,
    private=st.just(0) | st.integers(1, 2**40),
    allow=st.lists(_networks, max_size=MAX_NETWORKS // 10, unique=True).map(lambda found: tuple(sorted(found))),
    maintenance=st.none()
    | st.builds(Maintenance, st.integers(1, 2**40), st.integers(1, 2**30), st.text(max_size=MAX_MESSAGE)),
    noindex=st.none() | st.booleans(),
    headers=HEADERS,
).filter(lambda policy: policy != Policy())
"""None of them says nothing: such a row has no policy."""
