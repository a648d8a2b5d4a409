from mainstay.model.finding import Family, Severity
from mainstay.rules.base import Example
from mainstay.rules.untrusted import UntrustedValue


class UntrustedValueInRedirect(UntrustedValue):
    """The requester chooses where a visitor is sent on.

    A link to the service, whose name people trust, ends on a page of somebody else that asks for the
    password again. In a sign-in flow the address may carry the code or token with it.

    Send visitors only to paths of your own (`url_has_allowed_host_and_scheme`, or a target looked up
    by name), or to hosts out of a fixed set.
    """

    severity = Severity.MEDIUM
    family = (Family.UNTRUSTED_INPUT,)
    since = "0.1"
    references = ("CWE-601", "OWASP A01:2021")

    notices = "The people who were deceived, and those they complain to."
    recovers = "Nothing here has to be repaired; accounts whose password was given away have to be reset."
    costs = "One check where the address comes in; partners' addresses have to be listed."

    sink = "redirect"
    cleared_by = "the host is compared with a fixed set, or the target is known to be a path of this service"

    bad = (
        Example(
            {
                "shop/views.py": """
                    from flask import Blueprint, redirect, request
                    from shop.sessions import begin

                    bp = Blueprint("shop", __name__)

                    @bp.route("/login", methods=["POST"])
                    def login():
                        begin(request.form["name"])
                        return redirect(request.args.get("next") or "/")  # <-
                """,
                "shop/sessions.py": "def begin(name): ...",
            },
            "The usual `next`",
        ),
        Example(
            {
                "shop/api.py": """
                    from fastapi import APIRouter
                    from fastapi.responses import RedirectResponse

                    router = APIRouter()

                    @router.get("/done")
                    def done(order_id: int, return_url: str):
                        return RedirectResponse(with_order(return_url, order_id), 303)  # <-

                    def with_order(url, order_id):
                        return f"{url}?order={order_id}"
                """,
            },
            "What is put behind an address does not change where it leads",
        ),
    )
    good = (
        Example(
            {
                "shop/views.py": """
                    from django.shortcuts import redirect
                    from django.utils.http import url_has_allowed_host_and_scheme

                    def login(request):
                        following = request.GET.get("next", "/")
                        if not url_has_allowed_host_and_scheme(following, allowed_hosts={request.get_host()}):
                            following = "/"
                        return redirect(following)

                    def show(request):
                        return redirect(f"/orders/{request.GET['order']}/")

                    def again(request):
                        return redirect(request.get_full_path())
                """,
            },
            "Checked by the framework, behind a fixed path, or the same page again",
        ),
        Example(
            {
                "shop/api.py": """
                    from fastapi import APIRouter, HTTPException
                    from fastapi.responses import RedirectResponse
                    from shop.addresses import allowed

                    router = APIRouter()

                    @router.get("/done")
                    def done(return_url: str):
                        return RedirectResponse(allowed(return_url, frozenset({"shop.example.com"})), 303)
                """,
                "shop/addresses.py": """
                    from urllib.parse import urlsplit
                    from fastapi import HTTPException

                    def allowed(url, hosts):
                        if urlsplit(url).hostname not in hosts:
                            raise HTTPException(422)
                        return url
                """,
            },
            "A helper compares the host with a fixed set and raises",
        ),
    )
