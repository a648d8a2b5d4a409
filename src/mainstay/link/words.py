"""What the name of a guard, a marker or an operation tells."""

import re


def _any_of(words: str) -> re.Pattern[str]:
    """Matches one of the words inside a name in snake case."""
    return re.compile(rf"(?:^|_)(?:{'|'.join(words.split())})(?:_|$)")


def _whole(words: str) -> re.Pattern[str]:
    """Matches a name that is one of the words."""
    return re.compile("|".join(words.split()))


_AUTHENTICATES = _any_of(
    r"""
    auth authn authz authenticat(?:e|ed|es|ion|or) authori[sz](?:e|ed|es|ation|er) login logged_in signed_in
    permissions? permitted principal acl rbac admins? superuser staff
    current_(?:active_)?(?:user|superuser|account|principal|member|caller) get_user user_id_from_\w+
    api_?key access_token bearer jwt signature signed protected
    require[sd]?_(?:\w+_)?(?:user|role|scope|member|owner|account|token|key)\w* (?:token|user|key)_required
    (?:verify|validate|check)_(?:\w+_)?(?:token|request|signature|webhook|hmac|caller|user|origin|secret|key)
    has_(?:role|scope|perm)s?\w* access_(?:check|control|required) check_access user_is_\w+
    """
)
_NOT_A_GUARD = _any_of(
    r"""
    repository repo services? settings config store dao client factory provider manager logger
    optional maybe anonymous or_none or_anonymous exempt without no not not_required skip disabled?
    """
)
_OPTIONAL = _any_of("optional maybe or_none or_anonymous no_raise")
_CHECKS = re.compile(
    r"_?(?:require|check|verify|validate|ensure|assert|enforce|authenticate|authori[sz]e|must|raise|abort|guard|user_is)"
)
_PUBLIC = _any_of(
    """
    public allow_any allow_all allow_anonymous allow_public unauthenticated no_auth no_authentication
    no_login login_not_required login_exempt auth_exempt auth_not_required skip_auth skip_authentication
    anonymous_access
    """
)
_NOT_PUBLIC = _any_of("public_(?:key|id|url|name|schema|view_set) non_public not_public")
_RESOURCE = re.compile(
    r"_?(?:get_|provide_|open_|make_|new_)?(?:async_|db_|database_|sql_|tenant_|read_|write_)*"
    r"(?:session|db|database|connection|engine|cursor|transaction|sessionmaker|uow|unit_of_work|redis|cache|settings"
    r"|config|logger)(?:_with_\w+|_for_\w+|_factory)?$"
)
_OPEN_BY_CONVENTION = _whole(
    r"""
    health(?:_?(?:check|z))?s? live(?:z|ness)? alive ready(?:z)? readiness ping heartbeat startupz? up
    status_?check metrics versions?
    auth login logon log_?in sign_?in log_?out sign_?out sign_?up register(?:_user)? registration
    token token_(?:refresh|verify|obtain|obtain_pair|revoke|blacklist) refresh_token
    \w*password_?reset\w* reset_?password\w* forgot_?password forgot password_recovery
    magic_?\w+ activat(?:e|ion) confirm_email verify_email email_check resend_\w+
    oauth2?\w* oidc openid saml2? sso social mfa 2fa fido callback authorize
    \.?well_known jwks(?:\.json)? static assets logo docs? redoc openapi(?:\.json)? swagger\w* schema
    favicon(?:\.ico)? robots(?:\.txt)? manifest(?:\.json)? captcha csrf csrf_token i18n locale
    errors? 404 500 403 terms tos privacy about
    """
)
_VARIABLE = re.compile(r"\{[^}]*\}|<[^>]*>|\([^)]*\)")
_FORM = re.compile(r"_(?:view|api|api_view|handler|endpoint|resource|view_set)$|^rh_")


def snake(name: str) -> str:
    """`LoginRequiredMixin` -> `login_required_mixin`."""
    last = name.rpartition(".")[2]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", last).lower()


def sounds_authenticating(name: str) -> bool:
    """Whether the name of a decorator, dependency or base class says that it refuses unknown callers."""
    word = snake(name)
    return _AUTHENTICATES.search(word) is not None and _NOT_A_GUARD.search(word) is None


def sounds_checking(name: str) -> bool:
    """Whether merely calling it checks the caller: `require_admin()`, not `make_api_key()`."""
    return sounds_authenticating(name) and _CHECKS.match(snake(name)) is not None


def sounds_like_a_resource(name: str) -> bool:
    """Whether it hands out a session or connection, which may fail for many reasons and guards nothing."""
    return _RESOURCE.match(snake(name)) is not None


def sounds_optional(name: str) -> bool:
    """Whether it says that a caller may be known, and need not be."""
    return _OPTIONAL.search(snake(name)) is not None


def sounds_public(name: str) -> bool:
    """Whether the name of a marker says that anyone may call."""
    word = snake(name)
    return _PUBLIC.search(word) is not None and _NOT_PUBLIC.search(word) is None


def conventional(path: str, name: str) -> str:
    """The part of a path, or the name, that needs no principal by convention; "" when there is none."""
    written = _VARIABLE.sub("", path.lower().replace("-", "_"))
    for segment in re.split(r"[^a-z0-9_.]+", written):
        if segment and _OPEN_BY_CONVENTION.fullmatch(segment):
            return segment
    word = _FORM.sub("", snake(name))
    return word if _OPEN_BY_CONVENTION.fullmatch(word) else ""
