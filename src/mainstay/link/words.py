"""What the name of a guard tells."""

import re

_AUTHENTICATES = re.compile(
    r"(?:^|_)(?:auth|authn|authz|authenticat(?:e|ed|es|ion|or)|authori[sz](?:e|ed|es|ation|er)|login|logged_in|signed_in"
    r"|permissions?|permitted|current_user|current_active_user|current_superuser|current_account|current_principal"
    r"|api_?key|access_token|bearer|jwt|admin|admins|superuser|staff|principal|acl|rbac|csrf_token_and_login"
    r"|signature|signed|protected|require_(?:user|role|scope|member|owner|account|token|key)\w*|(?:verify|validate|check)_(?:\w+_)?(?:token|request|signature|webhook|hmac|caller|user|origin|secret|key)"
    r"|has_(?:role|scope|perm)s?\w*|access_(?:check|control|required)|check_access|(?:token|user|key)_required|user_is_\w+)(?:_|$)"
)
_CHECKS = re.compile(r"_?(?:require|check|verify|ensure|assert|enforce|authenticate|authori[sz]e|must|raise|abort|guard|user_is)")
_NOT_A_GUARD = re.compile(
    r"(?:^|_)(?:repository|repo|service|services|settings|config|store|dao|client|factory|provider|manager|logger"
    r"|optional|maybe|anonymous|or_none|or_anonymous|exempt|without|no|not|not_required|skip|disable|disabled)(?:_|$)"
)
_PUBLIC = re.compile(
    r"(?:^|_)(?:public|allow_any|allow_all|allow_anonymous|allow_public|unauthenticated|no_auth|no_authentication|no_login"
    r"|login_not_required|login_exempt|auth_exempt|auth_not_required|skip_auth|skip_authentication|anonymous_access)(?:_|$)"
)
_RESOURCE = re.compile(
    r"_?(?:get_|provide_|open_|make_|new_)?(?:async_|db_|database_|sql_|tenant_|read_|write_)*(?:session|db|database|connection"
    r"|engine|cursor|transaction|sessionmaker|uow|unit_of_work|redis|cache|settings|config|logger)(?:_with_\w+|_for_\w+|_factory)?$"
)
_NOT_PUBLIC = re.compile(r"(?:^|_)(?:public_(?:key|id|url|name|schema|view_set)|non_public|not_public)(?:_|$)")
_CONVENTION = re.compile(
    r"(?:^|[/_.-])(?:health|healthz|healthcheck|health_check|livez?|liveness|alive|readyz?|readiness|ping|heartbeat|startupz?"
    r"|metrics|version|login|signin|sign_in|log_in|logout|sign_out|signup|sign_up|register|registration|token|tokens"
    r"|password_?reset|reset_?password|forgot_?password|forgot|password_recovery|magic_?link|magic_generate|magic_sign_in|activate|verify_email|confirm_email|oauth2?|oidc|openid|saml2?|sso"
    r"|callback|authorize|well_known|jwks|static|docs|redoc|openapi|swagger|schema|favicon|robots|captcha|email_check|csrf|csrf_token|i18n|locale"
    r"|auth|mfa|2fa|fido|error|errors|404|500|403|manifest|terms|privacy|about)(?:$|[/_.-])"
)


def snake(name: str) -> str:
    """`LoginRequiredMixin` -> `login_required_mixin`."""
    last = name.rpartition(".")[2]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", last).lower()


def sounds_authenticating(name: str) -> bool:
    """Whether the name of a decorator, dependency or base class says that it refuses unknown callers."""
    word = snake(name)
    return _AUTHENTICATES.search(word) is not None and _NOT_A_GUARD.search(word) is None


def sounds_checking(name: str) -> bool:
    """Whether a call of it, its answer unseen, is a check of the caller: `require_admin()`, not `make_api_key()`."""
    return sounds_authenticating(name) and _CHECKS.match(snake(name)) is not None


def sounds_like_a_resource(name: str) -> bool:
    """Whether it hands out a session or connection, which may fail for many reasons and guards nothing."""
    return _RESOURCE.match(snake(name)) is not None


def sounds_optional(name: str) -> bool:
    """Whether it says that a caller may be known, and need not be."""
    word = snake(name)
    return re.search(r"(?:^|_)(?:optional|maybe|or_none|or_anonymous|no_raise)(?:_|$)", word) is not None


def sounds_public(name: str) -> bool:
    """Whether the name of a marker says that anyone may call."""
    word = snake(name)
    return _PUBLIC.search(word) is not None and _NOT_PUBLIC.search(word) is None


def conventional(path: str, function: str) -> str:
    """The word in a path or function name that shows an operation needs no principal by convention."""
    for text in (path.lower().replace("-", "_"), snake(function)):
        found = _CONVENTION.search(text)
        if found:
            return found[0].strip("/_.-")
    return ""
