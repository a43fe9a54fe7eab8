"""Canaries and standbys that a row may have, for properties that hold of all of them."""

import string

from hypothesis import strategies as st

from edge_handler.routes.canary import MAX_WEIGHT, Canary
from edge_handler.routes.origin import Origin
from edge_handler.routes.redirect import Answering
from edge_handler.routes.route import Standby

REVISIONS = st.integers(1, 2**40)
COOKIE_NAMES = st.text(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~", min_size=1, max_size=30)
WEIGHTS = st.integers(0, MAX_WEIGHT)


def canaries(origins: st.SearchStrategy[Origin]) -> st.SearchStrategy[Canary]:
    return st.builds(Canary, origins, WEIGHTS, REVISIONS, REVISIONS, st.just("") | COOKIE_NAMES, st.text())


def standbys(origins: st.SearchStrategy[Answering]) -> st.SearchStrategy[Standby]:
    return st.builds(Standby, st.text(), origins, st.booleans())
