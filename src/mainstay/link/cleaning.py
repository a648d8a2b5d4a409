"""What makes a value harmless: the names of functions and the shapes of tests that settle it."""

import re

from mainstay.model.code import Attribute, Call, Display, Literal, Name, Value

ALL = frozenset({"sql", "url", "path", "redirect", "command", "html"})
PLACES = frozenset({"url", "path", "redirect"})

_CHECKS = re.compile(
    r"^_*(?:validate|verify|check|ensure|assert|sanitize|sanitise|clean|reject|forbid|require|guard|filter|normali[sz]e_and)(?:_|$)"
    r"|(?:^|_)(?:is|has|are)_?(?:\w+_)?(?:safe|valid|allowed|local|internal|trusted|permitted|relative|same|known|ok)(?:_|$)"
    r"|(?:^|_)(?:safe|allowed|allowlist|whitelist|trusted|validated?|validator|sanitized?|sanitised?|escaped?|permitted|secure)(?:_|$)"
    r"|^(?:fullmatch|match|isalnum|isdigit|isdecimal|isnumeric|isalpha|isidentifier|is_relative_to|relative_to|commonpath"
    r"|commonprefix|ip_address|ip_network)$"
)
_NO_CHECKS = re.compile(
    r"check_(?:output|call)$|^(?:clean|normalize)$|safe_load|^filter$|mark_safe|check_mark|_or_404$"
)
_HOST_TEST = re.compile(r"(?:is_private|is_global|is_loopback|is_reserved|is_link_local)$")

_SCHEMES = re.compile(r"(?i)(?:schemes?|protocols?)$")
SCHEMES = frozenset({"http", "https", "ftp", "ftps", "ws", "wss", "data", "file", "s3", "gs"})

PASSING = frozenset(
    """
    str bytes repr format unquote unquote_plus urljoin urlparse urlsplit urlunparse urlunsplit Path
    PurePath PurePosixPath PosixPath join normpath abspath realpath expanduser fspath text
    literal_column SQL cast loads b64decode urlsafe_b64decode list tuple set sorted reversed dict iter next
    copy deepcopy getaddrinfo gethostbyname URL iri_to_uri uri_to_iri force_str smart_str Markup
    """.split()
)
"""Functions whose result says what their arguments say, by their last name."""

METHODS = frozenset(
    """
    get getlist getone getall get_all pop popitem setdefault items values keys strip lstrip rstrip lower
    upper title capitalize casefold encode decode format join split rsplit splitlines partition rpartition
    replace removeprefix removesuffix zfill expandtabs translate copy geturl dict model_dump to_dict json
    get_json joinpath resolve absolute expanduser with_suffix with_name as_posix unicode_string read readline
    """.split()
)
"""Methods whose result says what their receiver says."""

FORMATS = frozenset({"format", "join", "replace", "joinpath", "with_name"})
"""Methods whose result says what their arguments say, too."""


def settles(call: Call, name: str) -> frozenset[str]:
    """The sinks for which calling what is named so tells, or makes sure, that a value is harmless."""
    if name == "startswith":
        return _by_prefix(call)
    if name in ("endswith", "removeprefix"):
        return frozenset()
    if name in ("ip_address", "ip_network"):
        return frozenset({"url"})
    if _NO_CHECKS.search(name):
        return frozenset()
    return ALL if _CHECKS.search(name) else frozenset()


def _by_prefix(call: Call) -> frozenset[str]:
    """`startswith("http")` tells nothing of the host; a path or a name that is not written here may."""
    value = call.arguments[0] if call.arguments else None
    texts = [value, *getattr(value, "items", ())]
    written = [t.value for t in texts if isinstance(t, Literal) and isinstance(t.value, str)]
    if not written:
        return PLACES if value is not None else frozenset()
    if all(text.startswith("/") for text in written):
        return frozenset({"redirect", "url"})
    if all(re.match(r"\w+://[^/]+/", text) for text in written):
        return frozenset({"redirect", "url"})
    return frozenset()


def by_absence(text: str) -> frozenset[str]:
    """What looking for this text in a value is about: `".." in name`."""
    if "://" in text or text == "//":
        return frozenset({"url", "redirect"})
    if ".." in text or text in ("/", "\\", "\0"):
        return frozenset({"path"})
    return frozenset()


def is_scheme(value: Value) -> bool:
    """Whether what a value is compared with are schemes: `("http", "https")`, `ALLOWED_SCHEMES`."""
    if isinstance(value, Name | Attribute):
        return _SCHEMES.search(value.path) is not None
    texts = value.items if isinstance(value, Display) else (value,)
    return bool(texts) and all(isinstance(t, Literal) and str(t.value).rstrip(":/") in SCHEMES for t in texts)


def tests_address(value: Value) -> bool:
    """Whether a test asks what kind of address a host has."""
    return isinstance(value, Name | Attribute) and _HOST_TEST.search(value.path) is not None
