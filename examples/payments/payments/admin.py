"""What an operator does from a shell.

python -m payments.admin schema            create the tables
python -m payments.admin print-schema      write them as SQL (schema.sql is this)
python -m payments.admin print-openapi     write what the API is (openapi.json is this)
python -m payments.admin tenant NAME       add a tenant and print its API key, once
"""

import json
import sys

from sqlalchemy import create_mock_engine
from sqlalchemy.sql.ddl import DDLElement

from payments import app, auth
from payments.config import Settings
from payments.db import build_engine, build_sessions
from payments.models import ApiKey, Base, Tenant


def create_schema(settings: Settings) -> None:
    engine = build_engine(settings)
    Base.metadata.create_all(engine)
    engine.dispose()


def print_schema() -> None:
    statements: list[str] = []

    def keep(statement: DDLElement, *_: object, **__: object) -> None:
        lines = str(statement.compile(dialect=engine.dialect)).strip().splitlines()
        statements.append("\n".join(line.rstrip() for line in lines) + ";\n")

    engine = create_mock_engine("postgresql+psycopg://", keep)
    Base.metadata.create_all(engine, checkfirst=False)
    # Tables in the order of their references, then the indexes by name.
    statements.sort(key=lambda text: text if text.startswith("CREATE INDEX") else "")
    print("\n".join(statements), end="")


def print_openapi() -> None:
    print(json.dumps(app.routed().openapi(), indent=2))


def add_tenant(settings: Settings, name: str) -> str:
    engine = build_engine(settings)
    key = auth.new_key()
    with build_sessions(engine).begin() as session:
        tenant = Tenant(name=name)
        session.add(tenant)
        session.flush()
        session.add(ApiKey(digest=auth.digest(key), tenant_id=tenant.id))
    engine.dispose()
    return key


def main(words: list[str]) -> None:
    match words:
        case ["schema"]:
            create_schema(Settings.from_environment())
        case ["print-schema"]:
            print_schema()
        case ["print-openapi"]:
            print_openapi()
        case ["tenant", name]:
            print(add_tenant(Settings.from_environment(), name))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
