"""What a file's name says: its content type, and whether browsers may keep it for good."""

import mimetypes

import pytest

from table_admin.deployments.caching import is_immutable
from table_admin.deployments.content_types import content_type


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/index.html", "text/html; charset=utf-8"),
        ("/a/STYLE.CSS", "text/css; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/app.mjs", "text/javascript; charset=utf-8"),
        ("/app.js.map", "application/json"),
        ("/data.json", "application/json"),
        ("/site.webmanifest", "application/manifest+json"),
        ("/robots.txt", "text/plain; charset=utf-8"),
        ("/readme.md", "text/markdown; charset=utf-8"),
        ("/sitemap.xml", "application/xml"),
        ("/feed.atom", "application/atom+xml"),
        ("/logo.svg", "image/svg+xml"),
        ("/favicon.ico", "image/vnd.microsoft.icon"),
        ("/photo.jpeg", "image/jpeg"),
        ("/photo.avif", "image/avif"),
        ("/font.woff2", "font/woff2"),
        ("/module.wasm", "application/wasm"),
        ("/film.mp4", "video/mp4"),
        ("/live/segment1.ts", "video/mp2t"),
        ("/live/index.m3u8", "application/vnd.apple.mpegurl"),
        ("/subtitles.vtt", "text/vtt; charset=utf-8"),
        ("/manual.pdf", "application/pdf"),
        ("/archive.tar.gz", "application/gzip"),
        ("/events.ics", "text/calendar; charset=utf-8"),
        ("/LICENSE", "text/plain; charset=utf-8"),
        ("/.well-known/apple-app-site-association", "application/json"),
        ("/.well-known/openid-configuration", "application/json"),
        ("/.well-known/acme-challenge/Zm9v", "text/plain; charset=utf-8"),
        ("/.well-known/matrix/client", "application/json"),
        ("/.well-known/security.txt", "text/plain; charset=utf-8"),
        ("/about", "application/octet-stream"),
        ("/html", "application/octet-stream"),
        ("/a.html/b", "application/octet-stream"),
        ("/file.unknown", "application/octet-stream"),
        ("/file.", "application/octet-stream"),
    ],
)
def test_a_name_has_a_content_type(path: str, kind: str) -> None:
    assert content_type(path) == kind


def test_the_machine_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mimetypes, "guess_type", lambda *_: ("text/registry", None))
    mimetypes.add_type("application/registry", ".js")
    assert content_type("/app.js") == "text/javascript; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "/_astro/index.Bx3c_9aZ.css",
        "/_astro/hoisted.BQ2vzXnC.js",
        "/_astro/photo.B1v2c3d4_2cLGqd.webp",
        "/docs/_astro/a1b2c3d4.woff2",
        "/_next/static/chunks/main-app-0d5a9c27b3f14e88.js",
        "/_next/static/chunks/0d5a9c27b3f14e88.js",
        "/_next/static/media/e4af272ccee01ff0-s.p.woff2",
        "/_next/static/css/7e7d96b1e6991756.css",
        "/_app/immutable/entry/start.DxYz12ab.js",
        "/_app/immutable/nodes/0.BQ2vzXnC.js",
        "/_app/immutable/chunks/BQ2vzXnC.js",
        "/_nuxt/DmX9z3Ab.js",
        "/_nuxt/entry.B3d_9xYz.css",
        "/static/js/main.073c9b0a.js",
        "/static/js/2.8c5fb3a1.chunk.js",
        "/static/media/logo.6ce24c58023cc2f8fd88fe9d219db6c6.svg",
        "/assets/index-BQ2vzXnC.js",
        "/assets/index-Bd-x4kqT.js",
        "/assets/index.md.Bd8x4kqT.lean.js",
        "/assets/logo-B7q2XkZ9.svg",
        "/assets/js/main.5d1f1d5f.js",
        "/assets/javascripts/bundle.83f73b43.min.js",
        "/base/assets/index-BQ2vzXnC.css.map",
    ],
)
def test_browsers_keep_what_a_generator_named_by_its_content(path: str) -> None:
    assert is_immutable(path)


@pytest.mark.parametrize(
    "path",
    [
        "/index-BQ2vzXnC.js",
        "/main.073c9b0a.js",
        "/my_assets/index-BQ2vzXnC.js",
        "/static/index.073c9b0a.js",
        "/assets/app.js",
        "/assets/css/style.css",
        "/assets/js/jquery-3.7.1.min.js",
        "/assets/js/lib-base64js.js",
        "/assets/js/bootstrap5.bundle.min.js",
        "/assets/img/2023-10-05.jpg",
        "/assets/img/photo-20231005.jpg",
        "/assets/img/photo-iPhone14.png",
        "/assets/img/photo-MacBook2.png",
        "/assets/img/iphone14promax.png",
        "/assets/report-Version2.pdf",
        "/assets/deadbeef.js",
        "/assets/app-deadbeef.js",
        "/_astro/MyPanel2.js",
        "/_app/version.json",
        "/_next/static/abc123DEF456/_buildManifest.js",
        "/_nuxt/builds/latest.json",
        "/_astro/page.BQ2vzXnC.html",
        "/assets/sw.BQ2vzXnC.js",
        "/assets/service-worker-BQ2vzXnC.js",
        "/assets/firebase-messaging-sw.8c5fb3a1.js",
        "/assets/manifest-BQ2vzXnC.webmanifest",
        "/assets/manifest.8c5fb3a1.json",
    ],
)
def test_browsers_ask_again_for_everything_else(path: str) -> None:
    assert not is_immutable(path)
