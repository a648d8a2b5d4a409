"""What a web address from outside may be compared by."""

from urllib.parse import urlsplit


def origin(url: str) -> str:
    """Scheme, host and port as written; nothing when a browser might read it otherwise."""
    if "\\" in url or not url.isprintable():
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"
