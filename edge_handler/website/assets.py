"""Which paths name something that a page loads, and not a page."""

# What a browser or a program asks for by its name. No HTML; and nothing that ends user names or versions: .com, .x.
_EXTENSIONS = (
    # scripts, styles, data
    "atom bin cjs css csv dat geojson ics js json jsonld jsx map md mjs rss toml ts tsv tsx txt vcf wasm "
    "webmanifest xml xsl yaml yml "
    # images
    "apng avif bmp cur gif heic ico jpeg jpg jxl png svg tif tiff webp "
    # fonts, models
    "eot otf ttf woff woff2 glb gltf hdr ktx2 "
    # sound and film
    "aac flac m3u8 m4a m4v mov mp3 mp4 mpd oga ogg ogv opus srt vtt wav webm "
    # documents and archives
    "7z apk br bz2 deb dmg doc docx epub exe gz iso jar msi odp ods odt pdf ppt pptx rar rpm rtf tar tgz "
    "xls xlsx xz zip zst "
    # the search index of Pagefind
    "pagefind pf_filter pf_fragment pf_index pf_meta "
)
EXTENSIONS = frozenset(_EXTENSIONS.split())
GENERATED = ("/_astro/", "/_next/static/", "/_app/immutable/", "/_nuxt/")
"""Where generators put what they gave a name of its own, at the top or below a base path, and nothing else."""
SHARED = ("/static/js/", "/static/css/", "/static/media/", "/assets/")
"""Where they put it beside what people gave a name."""
_WELL_KNOWN = "/.well-known/"


def has_known_extension(path: str) -> bool:
    """Tell whether `path` ends as an asset does."""
    name, dot, extension = path.rpartition(".")
    return dot != "" and not name.endswith("/") and extension.lower() in EXTENSIONS


def is_asset(path: str) -> bool:
    """Tell whether a page in place of `path` would break something.

    In a generator's directory all files have an extension: `/assets/42` is a page of an application for assets.
    """
    if path.startswith(_WELL_KNOWN) or has_known_extension(path):
        return True
    last = path.rpartition("/")[2]
    return (
        "." in last and not last.endswith((".html", ".htm")) and any(place in path for place in (*GENERATED, *SHARED))
    )
