"""A deployment's list: what is written is read, page by page, and nothing else is taken for it."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.errors import BrokenListing
from edge_handler.website import listing
from edge_handler.website.listing import (
    File,
    HeaderRule,
    Options,
    Page,
    RedirectRule,
    Site,
    check_page,
    decode_head,
    encode_listing,
    path_key,
    whole,
)
from tests.support import broken_list

FILES = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(lambda name: f"/{name}"),
    st.builds(
        File,
        st.binary(max_size=5).map(lambda content: sha256(content).hexdigest()),
        st.sampled_from(["text/html; charset=utf-8", "image/png", "font/woff2"]),
        st.booleans(),
        st.integers(0, 2**40),
    ),
    max_size=20,
)
OPTIONS = st.builds(
    Options,
    st.sampled_from(["", "/index.html"]),
    st.lists(st.builds(RedirectRule, st.text(), st.text(), st.sampled_from([200, 301]), st.booleans())).map(tuple),
    st.lists(
        st.builds(
            HeaderRule,
            st.text(),
            st.lists(st.tuples(st.text(), st.text())).map(tuple),
            st.lists(st.text()).map(tuple),
        )
    ).map(tuple),
    st.sampled_from(["files", "pages", "all"]),
    st.sampled_from(["", "*"]),
)


def a_file(content: bytes) -> File:
    return File(sha256(content).hexdigest(), "text/plain; charset=utf-8", False, len(content))


@given(FILES, OPTIONS, st.integers(1, 5))
def test_what_was_written_is_found_and_nothing_else(files: dict[str, File], options: Options, a_page: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "PAGE_RECORDS", a_page)
        found = encode_listing(files, options)
    site = whole(found.content, found.id)
    assert site.options == options
    assert {path: site.find(path) for path in files} == files
    assert site.find("/not there at all and too long") is None
    assert sorted(site.files()) == sorted(files.values())
    assert sorted(site.blobs()) == sorted(
        (path_key(path), bytes.fromhex(file.blob), file.immutable) for path, file in files.items()
    )
    assert len(site.head.pages) == -(-len(files) // a_page)


@given(FILES, OPTIONS)
def test_the_same_site_has_the_same_name_and_another_has_another(files: dict[str, File], options: Options) -> None:
    found = encode_listing(files, options)
    assert encode_listing(dict(reversed(files.items())), options) == found
    assert encode_listing({**files, "/another and too long": a_file(b"more")}, options).id != found.id
    assert encode_listing(files, options._replace(fallback="/200.html")).id != found.id


@given(st.data())
def test_a_list_that_was_damaged_anywhere_is_not_read(data: st.DataObject) -> None:
    found = encode_listing({"/index.html": a_file(b"1"), "/about.html": a_file(b"2")}, Options())
    at = data.draw(st.integers(0, len(found.content) - 1))
    damaged = bytearray(found.content)
    damaged[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BrokenListing):
        whole(bytes(damaged), found.id)
    with pytest.raises(BrokenListing):
        whole(found.content[:at], found.id)


def test_another_sites_list_is_not_taken_for_this_ones() -> None:
    one, other = (encode_listing({"/index.html": a_file(content)}, Options()) for content in (b"1", b"2"))
    with pytest.raises(BrokenListing, match="its head is not the one"):
        whole(one.content, other.id)
    site = whole(one.content, one.id)
    with pytest.raises(BrokenListing, match="a page of it"):
        check_page(site.head.pages[0], whole(other.content, other.id).head and other.content[-50:])


@pytest.mark.parametrize("kind", ["deep", "length", "negative", "fraction", "types"])
def test_a_head_that_somebody_else_made_is_not_read(kind: str) -> None:
    broken = broken_list(kind)
    with pytest.raises(BrokenListing, match="its head cannot be read"):
        decode_head(broken.content, broken.id)


def test_a_record_that_somebody_else_made_is_broken_and_nothing_worse() -> None:
    broken = broken_list("record")
    head = decode_head(broken.content, broken.id)
    site = Site(head, lambda page: broken.content[page.offset :])
    with pytest.raises(BrokenListing, match="content type"):
        site.find("/index.html")
    with pytest.raises(BrokenListing, match="content type"):
        [*site.files()]
    with pytest.raises(BrokenListing, match="content type"):
        whole(broken.content, broken.id)


def test_only_the_page_that_is_needed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGE_RECORDS", 10)
    found = encode_listing({f"/{number}.html": a_file(b"%d" % number) for number in range(100)}, Options())
    head = decode_head(found.content[: listing.head_length(found.content[:12])], found.id)
    read: list[Page] = []

    def read_page(page: Page) -> bytes:
        read.append(page)
        return check_page(page, found.content[page.offset : page.offset + page.length])

    assert Site(head, read_page).find("/50.html") == a_file(b"50")
    assert len(read) == 1
    assert len(head.pages) == 10


def test_what_cannot_be_listed_is_refused() -> None:
    types = {f"/{number}": a_file(b"")._replace(content_type=f"x/{number}") for number in range(257)}
    with pytest.raises(BrokenListing, match="257 content types"):
        encode_listing(types, Options())
    rules = tuple(RedirectRule(f"/{number}", "/" + "x" * 1000, 301, False) for number in range(1000))
    with pytest.raises(BrokenListing, match="rules take"):
        encode_listing({}, Options(redirects=rules))
