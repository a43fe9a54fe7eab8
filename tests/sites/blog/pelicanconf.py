"""A blog as pelican writes it without more ado: every link ends in .html."""

AUTHOR = "Ada"
SITENAME = "Notes from the quay"
SITEURL = ""
PATH = "content"
THEME = "simple"
TIMEZONE = "UTC"
DEFAULT_LANG = "en"
FEED_DOMAIN = ""
FEED_ALL_ATOM = "feeds/all.atom.xml"
CATEGORY_FEED_ATOM = None
TRANSLATION_FEED_ATOM = None
AUTHOR_FEED_ATOM = None
AUTHOR_FEED_RSS = None
STYLESHEET_URL = "/quay.css"
STATIC_PATHS = ["extra"]
EXTRA_PATH_METADATA = {f"extra/{name}": {"path": name} for name in ("quay.css", "robots.txt", "404.html")}
ARTICLE_EXCLUDES = PAGE_EXCLUDES = ["extra"]
