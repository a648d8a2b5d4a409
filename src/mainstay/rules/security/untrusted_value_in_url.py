from mainstay.model.finding import Family, Severity
from mainstay.rules.base import Example
from mainstay.rules.untrusted import UntrustedValue


class UntrustedValueInUrl(UntrustedValue):
    """The service fetches an address that the requester chose.

    The request leaves from inside the network, so it reaches what no outsider may: the metadata
    service with the machine's credentials, admin pages, databases with an HTTP port. The requester
    reads the answer, or learns from the time and the error what is there.

    Keep the scheme and the host out of the requester's hands: take them from settings or a fixed
    set, or resolve the host, refuse private addresses and connect to the address that was checked.
    """

    severity = Severity.HIGH
    family = (Family.UNTRUSTED_INPUT,)
    since = "0.1"
    references = ("CWE-918", "OWASP A10:2021", "OWASP API7:2023")

    notices = "Nobody, unless calls out go through a proxy that logs and limits where they may go."
    recovers = "Credentials that could be read this way are replaced, and the way out closed in the network."
    costs = "A check of a few lines; where any address must be allowed, a proxy for calls out."

    sink = "url"
    cleared_by = "the host comes from settings or a fixed set, or its address is checked before the call"

    bad = (
        Example(
            {
                "shop/api.py": """
                    from fastapi import APIRouter
                    from pydantic import BaseModel
                    from shop import pictures

                    router = APIRouter()

                    class NewPicture(BaseModel):
                        order_id: int
                        address: str

                    @router.post("/pictures")
                    async def add(body: NewPicture):
                        return await pictures.keep(body)
                """,
                "shop/pictures.py": """
                    import httpx

                    async def keep(body):
                        return await fetch(body.order_id, body.address)

                    async def fetch(order_id, address):
                        async with httpx.AsyncClient(timeout=5) as client:
                            answer = await client.get(address)  # <-
                            return answer.content
                """,
            },
            "A field of the body, two calls away",
        ),
        Example(
            {
                "shop/views.py": """
                    import requests
                    from flask import Blueprint, request

                    bp = Blueprint("shop", __name__)

                    def wanted():
                        return request.get_json()["host"]

                    @bp.route("/probe", methods=["POST"])
                    def probe():
                        url = f"https://{wanted()}/status"
                        if not url.startswith("https://"):
                            return "no", 400
                        return requests.get(url, timeout=5).text  # <-
                """,
            },
            "Only the scheme is checked",
        ),
    )
    good = (
        Example(
            {
                "shop/api.py": """
                    import httpx
                    from fastapi import APIRouter, HTTPException
                    from shop.addresses import origin
                    from shop.config import settings

                    router = APIRouter()
                    HOSTS = frozenset({"img.example.com"})

                    @router.get("/rates/{currency}")
                    def rates(currency: str):
                        return httpx.get(f"https://rates.example.com/v1/{currency}", timeout=5).json()

                    @router.get("/stock/{item}")
                    def stock(item: str):
                        return httpx.get(f"{settings.stock_url}/items/{item}", timeout=5).json()

                    @router.post("/pictures")
                    def pictures(address: str):
                        if origin(address) not in HOSTS:
                            raise HTTPException(422)
                        return httpx.get(address, timeout=5).status_code
                """,
                "shop/addresses.py": """
                    from urllib.parse import urlsplit

                    def origin(address):
                        return urlsplit(address).hostname
                """,
                "shop/config.py": """
                    class Settings:
                        stock_url = "https://stock.internal"

                    settings = Settings()
                """,
            },
            "A fixed host, a host from settings, a host out of a fixed set",
        ),
        Example(
            {
                "shop/views.py": """
                    import ipaddress
                    import socket
                    from urllib.parse import urlparse
                    import requests
                    from django.core.exceptions import SuspiciousOperation
                    from django.http import HttpResponse

                    def refuse_private(url):
                        host = urlparse(url).hostname
                        for found in socket.getaddrinfo(host, None):
                            if ipaddress.ip_address(found[4][0]).is_private:
                                raise SuspiciousOperation(host)

                    def preview(request):
                        url = request.POST["url"]
                        refuse_private(url)
                        return HttpResponse(requests.get(url, timeout=5).text, content_type="text/plain")
                """,
            },
            "Private addresses are refused in a helper",
        ),
    )
