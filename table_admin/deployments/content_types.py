"""Which content type a file has: by its name, the same wherever it is deployed from."""

DEFAULT = "application/octet-stream"
_TEXT = {
    "text/html": "html htm",
    "text/css": "css",
    "text/javascript": "js mjs cjs",
    "text/plain": "txt text log conf ini",
    "text/markdown": "md markdown",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "text/calendar": "ics ifb",
    "text/vcard": "vcf vcard",
    "text/vtt": "vtt",
    "text/yaml": "yaml yml",
    "text/x-component": "htc",
}
_OTHER = {
    "application/json": "json map topojson",
    "application/ld+json": "jsonld",
    "application/geo+json": "geojson",
    "application/feed+json": "jsonfeed",
    "application/manifest+json": "webmanifest",
    "application/xml": "xml xsl xsd",
    "application/xslt+xml": "xslt",
    "application/xhtml+xml": "xhtml xht",
    "application/rss+xml": "rss",
    "application/atom+xml": "atom",
    "application/dash+xml": "mpd",
    "application/vnd.apple.mpegurl": "m3u8",
    "application/opensearchdescription+xml": "osdx",
    "application/gpx+xml": "gpx",
    "application/vnd.google-earth.kml+xml": "kml",
    "application/vnd.google-earth.kmz": "kmz",
    "application/wasm": "wasm",
    "application/toml": "toml",
    "application/sql": "sql",
    "application/rtf": "rtf",
    "application/pdf": "pdf",
    "application/postscript": "ps eps ai",
    "application/epub+zip": "epub",
    "application/zip": "zip",
    "application/gzip": "gz tgz",
    "application/x-bzip2": "bz2",
    "application/x-xz": "xz",
    "application/zstd": "zst",
    "application/x-7z-compressed": "7z",
    "application/x-tar": "tar",
    "application/vnd.rar": "rar",
    "application/java-archive": "jar",
    "application/vnd.android.package-archive": "apk",
    "application/x-apple-diskimage": "dmg",
    "application/x-shockwave-flash": "swf",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/vnd.ms-fontobject": "eot",
    "application/pgp-signature": "asc sig",
    "application/x-x509-ca-cert": "crt der",
    "application/x-pem-file": "pem",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "font/ttf": "ttf",
    "font/otf": "otf",
    "font/collection": "ttc",
    "image/png": "png",
    "image/jpeg": "jpg jpeg jpe jfif",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/svg+xml": "svg",
    "image/vnd.microsoft.icon": "ico cur",
    "image/apng": "apng",
    "image/bmp": "bmp",
    "image/tiff": "tif tiff",
    "image/heic": "heic",
    "image/heif": "heif",
    "image/jxl": "jxl",
    "image/vnd.adobe.photoshop": "psd",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/aac": "aac",
    "audio/ogg": "ogg oga opus",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/webm": "weba",
    "audio/midi": "mid midi",
    "video/mp4": "mp4 m4v",
    "video/webm": "webm",
    "video/ogg": "ogv",
    "video/quicktime": "mov",
    "video/mp2t": "ts",
    "video/mpeg": "mpeg mpg",
    "video/x-msvideo": "avi",
    "video/x-matroska": "mkv",
    "video/3gpp": "3gp",
    "model/gltf+json": "gltf",
    "model/gltf-binary": "glb",
    "model/obj": "obj",
    "model/stl": "stl",
    "model/vnd.usdz+zip": "usdz",
}
_BY_EXTENSION = {
    extension: kind
    for kinds, ending in ((_TEXT, "; charset=utf-8"), (_OTHER, ""))
    for kind, extensions in ((kind + ending, extensions.split()) for kind, extensions in kinds.items())
    for extension in extensions
}
_PLAIN = "text/plain; charset=utf-8"
_JSON = "application/json"
# Names that a standard gives, most under /.well-known/, and what people put beside a site.
_BY_NAME = {
    "apple-app-site-association": _JSON,
    "apple-developer-merchantid-domain-association": _PLAIN,
    "change-password": "text/html; charset=utf-8",
    "gpc": _JSON,
    "host-meta": "application/xrd+xml",
    "keybase": _PLAIN,
    "nodeinfo": _JSON,
    "oauth-authorization-server": _JSON,
    "openid-configuration": _JSON,
    "webfinger": "application/jrd+json",
    "authors": _PLAIN,
    "changelog": _PLAIN,
    "cname": _PLAIN,
    "copying": _PLAIN,
    "license": _PLAIN,
    "notice": _PLAIN,
    "readme": _PLAIN,
}
# Without an ending: a proof for a certificate, what a Matrix server says of itself.
_BY_DIRECTORY = {"/.well-known/acme-challenge/": _PLAIN, "/.well-known/matrix/": _JSON}


def content_type(path: str) -> str:
    """Return the content type of a file of a site."""
    name = path.rpartition("/")[2].lower()
    before, dot, extension = name.rpartition(".")
    if before and dot and extension in _BY_EXTENSION:
        return _BY_EXTENSION[extension]
    for directory, kind in _BY_DIRECTORY.items():
        if path.startswith(directory) and not dot:
            return kind
    return _BY_NAME.get(name, DEFAULT)


def without_charset(kind: str) -> str:
    """Return a content type that leaves the encoding to the file itself."""
    return kind.removesuffix("; charset=utf-8")


def is_page(path: str) -> bool:
    """Tell whether people look at a file as a page."""
    return path.lower().endswith((".html", ".htm", ".xhtml", ".xht"))
