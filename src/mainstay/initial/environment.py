"""What the service is told by its environment in the laboratory, and the dependencies that follow from it."""

import base64
import re
import secrets
from collections.abc import Iterator

from msgspec import Struct

from mainstay.initial.section import Entry, Section, escaped
from mainstay.initial.settings import Setting, django_settings, named_settings
from mainstay.initial.tree import Tree
from mainstay.sources.compose import interpolated

DATABASE, CACHE = "database", "cache"

_STORE = r"(?:DATABASE|DB|POSTGRES|POSTGRESQL|PG|PSQL|SQL|SQLALCHEMY)"
_DATABASE = re.compile(
    rf"(?:^|_){_STORE}(?:_[A-Z]+)?_?"
    r"(?P<part>URL|URI|DSN|CONNECTION_STRING|CONN_STR|HOST|HOSTNAME|SERVER|ADDRESS|PORT"
    r"|USER|USERNAME|PASSWORD|PASS|PASSWD|PWD|NAME|DB|DATABASE|ENGINE)$"
)
_OTHER_STORE = re.compile(
    r"MYSQL|MARIA|MONGO|NEO4J|INFLUX|CLICKHOUSE|ORACLE|MSSQL|VECTOR|SQLITE|DYNAMO|CASSANDRA"
)
_REDIS = re.compile(
    r"(?:^|_)(?P<store>REDIS|VALKEY|CACHE|BROKER|RESULT_BACKEND|QUEUE)(?:_[A-Z]+)*?_?"
    r"(?P<part>URL|URI|DSN|HOST|HOSTNAME|SERVER|ADDRESS|PORT|USER|USERNAME|PASSWORD|PASS|DB|BACKEND)$"
)
_PARTS = {
    "URL": "url",
    "URI": "url",
    "DSN": "url",
    "CONNECTION_STRING": "url",
    "CONN_STR": "url",
    "BACKEND": "url",
    "HOST": "host",
    "HOSTNAME": "host",
    "SERVER": "host",
    "ADDRESS": "host",
    "PORT": "port",
    "USER": "user",
    "USERNAME": "user",
    "PASSWORD": "password",
    "PASS": "password",
    "PASSWD": "password",
    "PWD": "password",
    "NAME": "database",
    "DB": "database",
    "DATABASE": "database",
    "ENGINE": "engine",
}  # fmt: skip - a table reads best in rows
_ABROAD = re.compile(
    r"^(?:SENTRY|OTEL|NEW_?RELIC|DD|DATADOG|ROLLBAR|BUGSNAG|POSTHOG|LOGFIRE|HONEYBADGER)(?:_|$)"
)
_BROKER = re.compile(
    r"AMQP|RABBIT|KAFKA|NATS|PULSAR|MONGO|ELASTIC|OPENSEARCH|MINIO|MEMCACHE|MYSQL|CLICKHOUSE|NEO4J|S3_"
)
_SECRET = re.compile(
    r"SECRET|TOKEN(?!S)|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|SALT|PRIVATE_KEY|(?:^|_)KEY$|API_?KEY|(?:^|_)KEY_|PEPPER"
)
_ABOUT_SECRET = re.compile(
    r"(?:TTL|EXPIR\w*|MINUTES|SECONDS|HOURS|DAYS|LIFETIME|AGE|LENGTH|ALGORITHM|URL|URI|HEADER|NAME|PREFIX"
    r"|PATH|FILE"
    r"|ENABLED|TYPE|AUDIENCE|ISSUER|LIMIT|SIZE|COUNT|USER|USERNAME|EMAIL|SCHEME|ROUNDS|VERSION|ID|RATE|METHOD|PRESSURE|NETWORK)$|(?:^|_)(?:MAX|MIN|REQUIRE|ALLOW|ENABLE|DISABLE|USE)_"
)
_ADDRESS = re.compile(
    r"^(?P<stem>[A-Z0-9_]+?)_?(?:BASE_?URL|API_?URL|URL|URI|ENDPOINT|API_?BASE|API_?ROOT|BASE_?URI)$"
)
_OWN_ADDRESS = re.compile(
    r"^(?:PUBLIC|BASE|SITE|FRONTEND|FRONT|APP|SERVER|WEB|WEBSITE|STATIC|MEDIA|ASSETS?|DOCS|REDOC|OPENAPI"
    r"|SWAGGER|HOST|SELF|BACKEND|CLIENT|DASHBOARD|UI|API|ROOT|DOMAIN|DEFAULT|MY|SERVICE|EXTERNAL|INTERNAL"
    r"|CDN|AVATAR|LOGO)?(?:_|$)"
    r"|REDIRECT|CALLBACK|LOGIN|LOGOUT|RETURN|ALLOWED|CORS|ORIGIN|SUCCESS|CANCEL|STATIC_|MEDIA_|DOCS|OPENAPI"
    r"|PROXY"
)
_SIGNS = re.compile(r"^(?:APP_|DJANGO_|FLASK_|JWT_|SESSION_)?SECRET(?:_KEY)?$")  # nothing starts well without
_FRAMEWORK = frozenset({"DJANGO_SETTINGS_MODULE", "FLASK_APP", "PYTHONPATH", "DJANGO_CONFIGURATION"})
_FOLDER = re.compile(r"(?:^|_)(?:DIR|DIRECTORY|FOLDER|ROOT|PATH)$")
_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:[^@/]*@)?(?P<host>[^:/?#]*)(?::\d+)?(?P<path>/[^?#]*)?(?:[?#].*)?",
    re.DOTALL,
)
_HTTP_CLIENTS = ("httpx", "httpx2", "requests", "aiohttp", "urllib3", "niquests", "tornado")
NO_WAY = "No setting that leads to the database was found: set it in [prove.environment]"
_NUMBERS = frozenset({"bool", "int", "float", "PositiveInt", "timedelta"})
MANY = 40  # entries; a longer environment is a whole deployment's, and mostly not this service's


class Environment(Struct, frozen=True):
    """The entries of `[prove.environment]`, the dependencies they name, and the names that are secret."""

    entries: tuple[Entry, ...]
    dependencies: tuple[Section, ...]
    secrets: tuple[str, ...]
    look: tuple[str, ...]  # what a person has to see to

    def text(self, name: str) -> str:
        """What the name is set to; "" when it is not set."""
        return next((entry.value for entry in self.entries if entry.key == name), "")


def environment(tree: Tree, found: dict[str, Setting], taken: frozenset[str]) -> Environment:
    """What each name is set to; `taken` are the names of processes, which no dependency may have."""
    return _Mapping(tree, found, taken).environment()


class _Given(Struct, frozen=True):
    """What a deployment sets a name to."""

    text: str
    said: str  # "compose.yml"


class _Mapping:
    def __init__(self, tree: Tree, found: dict[str, Setting], taken: frozenset[str]) -> None:
        self._tree = tree
        self._settings = found
        self._given = dict(_given(tree, found))
        self._taken = taken | {"port", "folder", "python", "output", "root"}
        self._needs: dict[str, str] = {}  # dependency -> why it is thought to be one
        self._http: dict[str, str] = {}
        self._secrets: list[str] = []
        self._look: list[str] = []
        self._foreign: list[str] = []
        self._has_cache_password = any(
            (match := _REDIS.search(name)) and _PARTS[match["part"]] in ("password", "url")
            for name in self._names()
        )

    def environment(self) -> Environment:
        entries = [entry for name in self._names() if (entry := self._entry(name)) is not None]
        entries += self._settings_module(entries)
        self._note_images()
        if self._foreign:
            names = ", ".join(self._foreign)
            self._remind(f'{names}: Mainstay plays no such thing; declare a kind = "command" that does.')
        order = {DATABASE: 0, CACHE: 1}
        entries.sort(key=lambda entry: self._rank(entry, order))
        return Environment(tuple(entries), tuple(self._sections()), tuple(self._secrets), tuple(self._look))

    def _settings_module(self, entries: list[Entry]) -> list[Entry]:
        """Django has to be told it when nothing in the tree names it."""
        name = "DJANGO_SETTINGS_MODULE"
        module = django_settings(self._tree)
        if not module or named_settings(self._tree) or any(entry.key == name for entry in entries):
            return []
        return [Entry(name, escaped(module), "nothing names it, and its name says so")]

    def _names(self) -> list[str]:
        return [*self._settings, *(name for name in self._given if name not in self._settings)]

    def _rank(self, entry: Entry, order: dict[str, int]) -> tuple[int, int]:
        dependency = re.match(r".*?\{(\w[\w-]*)\.", str(entry.value))
        if dependency is not None:
            return order.get(dependency[1], 2), 0
        return 3, int(entry.key not in self._secrets)

    # --- one name ------------------------------------------------------------------------------

    def _entry(self, name: str) -> Entry | None:
        """What the name is set to; None when the service can do without it."""
        setting, given = self._settings.get(name), self._given.get(name)
        wanted = bool(given and given.text) or (
            not setting.idle if setting is not None else given is not None
        )
        if _ABROAD.search(name):
            return Entry(name, "", "nothing leaves this machine") if setting and setting.required else None
        for decide in (self._database, self._cache, self._address):
            text = decide(name, wanted)
            if text is not None:
                return Entry(name, text, self._why(name, "its name"))
        if not wanted and not _SIGNS.search(name):
            return None
        if self._is_foreign(name):
            return None
        if self._is_secret(name):
            self._secrets.append(name)
            return Entry(name, made_up(name), "made up; a secret that may appear nowhere")
        return self._plain(name)

    def _why(self, name: str, because: str) -> str:
        setting, given = self._settings.get(name), self._given.get(name)
        if setting is not None:
            return f"{because}; {setting.location.path}:{setting.location.line} reads it"
        return f"{because}; {given.said} sets it" if given is not None else because

    def _plain(self, name: str) -> Entry | None:
        setting, given = self._settings.get(name), self._given.get(name)
        if name in ("PORT", "HTTP_PORT", "WEB_PORT", "APP_PORT", "SERVER_PORT"):
            return Entry(name, "{port}", "its name")
        if name.endswith("METRICS_PORT"):
            return Entry(name, "{port.metrics}", "its name")
        if name in ("HOST", "BIND_HOST", "SERVER_HOST", "LISTEN_HOST"):
            return Entry(name, "127.0.0.1", "its name")
        if name.endswith("ALLOWED_HOSTS"):
            return (
                Entry(name, "127.0.0.1,localhost", "its name")
                if given or (setting and setting.required)
                else None
            )
        if given is not None and given.text:
            return Entry(name, escaped(given.text), f"{given.said} says so")
        if setting is None or not setting.required:
            return None
        if _FOLDER.search(name):
            return Entry(name, f"{{folder}}/{name.lower()}", self._why(name, "its name"))
        return Entry(name, _by_type(setting), self._why(name, "made up"))

    def _is_secret(self, name: str) -> bool:
        setting = self._settings.get(name)
        if setting is not None and setting.type in ("SecretStr", "SecretBytes"):
            return True
        plain = setting is not None and (setting.type in _NUMBERS or _is_number(setting.default))
        return bool(_SECRET.search(name)) and not plain and not _ABOUT_SECRET.search(name)

    def _is_foreign(self, name: str) -> bool:
        """A broker or store that Mainstay does not play itself."""
        if not _BROKER.search(name):
            return False
        if re.search(r"(?:URL|URI|HOST|ENDPOINT|SERVERS?)$", name):
            self._foreign.append(name)
        return True

    def _remind(self, text: str) -> None:
        if text not in self._look:
            self._look.append(text)

    # --- stores --------------------------------------------------------------------------------

    def _database(self, name: str, wanted: bool) -> str | None:
        given = self._given.get(name)
        text = given.text if given else ""
        url = _URL.fullmatch(text)
        host = self._container_of(text)
        if host == DATABASE and (url is None or not url["scheme"].startswith("http")):
            self._need(DATABASE, name)
            return self._database_url(name, text) if url else "{database.host}"
        match = _DATABASE.search(name)
        if match is None or _OTHER_STORE.search(name) or "TEST" in name:
            return None
        if not wanted and not self._is_store(name):
            return None
        part = _PARTS[match["part"]]
        if part == "url" and url is not None and not url["scheme"].startswith(("postgres", "psql", "sqlite")):
            return None
        if part == "engine":
            setting = self._settings.get(name)
            said = text or (str(setting.default or "") if setting is not None else "")
            whole = "django.db" in said or (not said and self._tree.has("django"))
            return "django.db.backends.postgresql" if whole else "postgres"
        self._need(DATABASE, name)
        return self._database_url(name, text) if part == "url" else f"{{database.{part}}}"

    def _is_store(self, name: str) -> bool:
        """Whether a name with a default is the service's way to its database all the same."""
        setting = self._settings.get(name)
        return setting is not None and not _OTHER_STORE.search(name)

    def _database_url(self, name: str, given: str) -> str:
        scheme = self._scheme(name, given)
        if scheme == "postgresql":
            return "{database.url}"
        address = "{database.user}:{database.password}@{database.host}:{database.port}/{database.database}"
        return f"{scheme}://{address}"

    def _scheme(self, name: str, given: str) -> str:
        """As the deployment writes it, else as the default does, else by the driver that is asked for."""
        setting = self._settings.get(name)
        for text in (given, setting.default if setting is not None else ""):
            found = _URL.fullmatch(text) if isinstance(text, str) else None
            if found is not None and found["scheme"].startswith("postgres"):
                return found["scheme"]
        tree = self._tree
        if not tree.has("sqlalchemy", "sqlmodel", "flask-sqlalchemy", "databases"):
            return "postgresql"
        if "ASYNC" in name or (
            tree.has("asyncpg") and not tree.has("psycopg", "psycopg2", "psycopg2-binary")
        ):
            return "postgresql+asyncpg"
        if tree.has("psycopg") and not tree.has("psycopg2", "psycopg2-binary"):
            return "postgresql+psycopg"
        return "postgresql"

    def _cache(self, name: str, wanted: bool) -> str | None:
        given = self._given.get(name)
        text = given.text if given else ""
        url = _URL.fullmatch(text)
        host = self._container_of(text)
        match = _REDIS.search(name)
        if host == CACHE and match is None:
            self._need(CACHE, name)
            return _redis_url(text) if url else "{cache.host}"
        if match is None or not wanted:
            return None
        certain = match["store"] in ("REDIS", "VALKEY") or host == CACHE
        if not certain and not (url and url["scheme"] in ("redis", "rediss")):
            if text or not self._tree.has("redis", "aioredis", "django-redis", "celery[redis]"):
                return None
            if match["part"] == "BACKEND":
                return None
        if url is not None and not url["scheme"].startswith(("redis", "rediss", "valkey")):
            return None
        part = _PARTS[match["part"]]
        if part == "database":
            return None
        self._need(CACHE, name)
        if part == "host" and not self._has_cache_password:
            self._remind(
                f"{name}: our Redis wants a password ({{cache.password}}), and no setting for one was found"
            )
        return _redis_url(text) if part == "url" else f"{{cache.{part}}}"

    def _need(self, dependency: str, name: str) -> None:
        self._needs.setdefault(dependency, self._why(name, name))

    def _container_of(self, text: str) -> str:
        """Which store a value leads to, by the container that it names."""
        compose = self._tree.compose
        url = _URL.fullmatch(text)
        host = url["host"] if url else text.partition(":")[0]
        if compose is None or not host:
            return ""
        for kind, words in (
            (DATABASE, ("postgres", "postgis", "pgvector", "timescale")),
            (CACHE, ("redis", "valkey")),
        ):
            container = compose.of_image(*words)
            if container is not None and container.name == host:
                return kind
        return ""

    # --- other services ------------------------------------------------------------------------

    def _address(self, name: str, wanted: bool) -> str | None:
        """An address that the service asks over HTTP: a stand-in answers there."""
        setting, given = self._settings.get(name), self._given.get(name)
        match = _ADDRESS.fullmatch(name)
        if not wanted or match is None or _BROKER.search(name) or _OWN_ADDRESS.search(name):
            return None
        default = setting.default if setting is not None else ""
        text = given.text if given is not None and given.text else default if isinstance(default, str) else ""
        url = _URL.fullmatch(text)
        if (text and url is None) or (url is not None and url["scheme"] not in ("http", "https")):
            return None
        if not self._tree.has(*_HTTP_CLIENTS) and not self._tree.system.dependencies:
            return None
        stem = self._http.get(name) or self._named(match["stem"].lower().strip("_") or "service")
        self._http[name] = stem
        path = (url["path"] or "").rstrip("/") if url is not None else ""
        return f"{{{stem}.url}}{escaped(path)}"

    def _named(self, stem: str) -> str:
        used = self._taken | {DATABASE, CACHE} | set(self._http.values())
        name, number = stem, 1
        while name in used:
            number += 1
            name = f"{stem}-{number}"
        return name

    # --- dependencies --------------------------------------------------------------------------

    def _note_images(self) -> None:
        compose = self._tree.compose
        if compose is not None and DATABASE not in self._needs:
            container = compose.of_image("postgres", "postgis", "pgvector", "timescale")
            if container is not None:
                self._needs[DATABASE] = f"{compose.file.name} starts {container.image}"
                self._remind(NO_WAY)
        if DATABASE not in self._needs and self._tree.has(
            "asyncpg", "psycopg", "psycopg2", "psycopg2-binary"
        ):
            self._needs[DATABASE] = "its driver is asked for"
            self._remind(NO_WAY)

    def _sections(self) -> Iterator[Section]:
        if DATABASE in self._needs:
            entries = [Entry("kind", "postgres", self._needs[DATABASE])]
            yield Section(("prove", "dependency", DATABASE), tuple(entries))
        if CACHE in self._needs:
            yield Section(("prove", "dependency", CACHE), (Entry("kind", "redis", self._needs[CACHE]),))
        for name, stem in self._http.items():
            why = self._why(name, name)
            yield Section(("prove", "dependency", stem), (Entry("kind", "http", why),))
            answer = (Entry("on", "POST /things"), Entry("status", 201), Entry("body", {"id": "{n}"}))
            said = f"complete it: what {stem} answers (or give `openapi`, the file that says so)"
            yield Section(("prove", "dependency", stem, "answer"), answer, said, listed=True, left_out=True)


def _is_number(default: object) -> bool:
    if isinstance(default, str):
        return default.lower() in ("true", "false") or default.replace(".", "", 1).isdigit()
    return isinstance(default, bool | int | float)


def made_up(name: str) -> str:
    """A secret of our own making, unlike any other text."""
    if re.search(r"FERNET|ENCRYPTION_KEY|FIELD_KEY", name):
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return f"prove-{secrets.token_hex(18)}"


def _given(tree: Tree, found: dict[str, Setting]) -> Iterator[tuple[str, _Given]]:
    """What the example file and the deployment set, as far as the service is told; the deployment wins."""
    for name, text in tree.example.items():
        setting = found.get(name)
        if (
            name in _FRAMEWORK
            or not found
            or (setting is not None and (setting.required or _leads_somewhere(name)))
        ):
            yield name, _Given(text, tree.example_name)
    if tree.dockerfile is not None:
        for name, text in tree.dockerfile.environment.items():
            if name in found or name in _FRAMEWORK:
                yield name, _Given(interpolated(text, tree.example), tree.dockerfile.file.name)
    if tree.compose is None:
        return
    for container in tree.compose.own:
        for name, written in container.environment.items():
            if (
                name not in found
                and name not in _FRAMEWORK
                and len(found) > 2
                and len(container.environment) > MANY
            ):
                continue
            if written is not None and (name in found or not container.once) and not _is_frontend(name):
                yield name, _Given(interpolated(written, tree.example), tree.compose.file.name)


def _leads_somewhere(name: str) -> bool:
    """Whether a setting with a default of its own is a way to a dependency, whose example tells its kind."""
    return bool(_DATABASE.search(name) or _REDIS.search(name) or _ADDRESS.fullmatch(name))


def _is_frontend(name: str) -> bool:
    return name.startswith(("VITE_", "NEXT_", "REACT_", "NUXT_", "NODE_"))


def _redis_url(given: str) -> str:
    found = _URL.fullmatch(given)
    number = (found["path"] or "").strip("/") if found else ""
    if not number.isdigit() or number == "0":
        return "{cache.url}"
    return f"redis://:{{cache.password}}@{{cache.host}}:{{cache.port}}/{number}"


def _by_type(setting: Setting) -> str:
    """A value that a required setting will take."""
    name = setting.name
    match setting.type:
        case "EmailStr" | "NameEmail":
            return "prove@example.com"
        case "bool":
            return "false"
        case "int" | "PositiveInt" | "float":
            return "1"
        case "HttpUrl" | "AnyUrl" | "AnyHttpUrl":
            return "http://127.0.0.1:9/"
        case "list" | "List" | "set" | "tuple" | "Sequence":
            return "[]"
    if "EMAIL" in name or name.endswith("SUPERUSER"):
        return "prove@example.com"
    if name.endswith(("URL", "URI")):
        return "http://127.0.0.1:9/"
    if re.search(r"(?:^|_)(?:PORT|SECONDS|MINUTES|TIMEOUT|SIZE|LIMIT|COUNT)$", name):
        return "1"
    if re.search(r"(?:^|_)(?:DEBUG|ENABLED?|TLS|SSL)$", name):
        return "false"
    return "prove"
