from mainstay.model.finding import Family, Severity
from mainstay.rules.base import Example
from mainstay.rules.untrusted import UntrustedValue


class UntrustedValueInSql(UntrustedValue):
    """A requester's text becomes part of an SQL statement.

    What the requester sends is put into the text of the statement instead of being bound to it, so
    a quote or a bracket in it changes what the statement does. The caller reads other people's rows,
    or changes them, with the rights of the service's database user.

    Bind the value (`:name`, `%s`, a column expression). Where a name of a column or a direction is
    to be chosen, look it up in a dict of the ones allowed.
    """

    severity = Severity.CRITICAL
    family = (Family.UNTRUSTED_INPUT,)
    since = "0.1"
    references = ("CWE-89", "OWASP A03:2021")

    notices = "Nobody: the statements run well. Perhaps the database's log of slow statements shows odd ones."
    recovers = "Not by itself. What was read stays known; what was written has to be restored from a backup."
    costs = "A few lines; bound statements are also the ones a database can prepare once."

    sink = "sql"
    cleared_by = (
        "the value is bound as a parameter, or is one of a fixed set before the statement is put together"
    )

    bad = (
        Example(
            {
                "shop/api.py": """
                    from fastapi import APIRouter
                    from shop import reports

                    router = APIRouter()

                    @router.get("/report")
                    def report(sort: str = "name"):
                        return reports.build(sort.strip())
                """,
                "shop/reports.py": """
                    from sqlalchemy import create_engine, text

                    engine = create_engine("postgresql://")

                    def build(order):
                        return rows(f"SELECT * FROM orders ORDER BY {order}")

                    def rows(statement):
                        with engine.connect() as connection:
                            return connection.execute(text(statement)).all()  # <-
                """,
            },
            "Two calls and a file away from the query parameter",
        ),
        Example(
            {
                "shop/views.py": """
                    from django.db import connection
                    from django.http import JsonResponse

                    def search(request):
                        name = request.GET.get("name", "")
                        with connection.cursor() as cursor:
                            cursor.execute("SELECT id FROM orders WHERE name = '%s'" % name)  # <-
                            return JsonResponse({"ids": cursor.fetchall()})
                """,
            },
            "Formatting is not binding",
        ),
    )
    good = (
        Example(
            {
                "shop/api.py": """
                    from uuid import UUID
                    from fastapi import APIRouter, HTTPException
                    from sqlalchemy import create_engine, text

                    router = APIRouter()
                    engine = create_engine("postgresql://")
                    COLUMNS = {"name": "orders.name", "age": "orders.created_at"}

                    @router.get("/report")
                    def report(sort: str, status: str, limit: int, shop: UUID):
                        if sort not in COLUMNS:
                            raise HTTPException(422)
                        where = f"shop = '{shop}' AND status = :status"
                        statement = f"SELECT * FROM orders WHERE {where} ORDER BY {sort} LIMIT {limit}"
                        with engine.connect() as connection:
                            return connection.execute(text(statement), {"status": status}).all()

                    @router.get("/report2")
                    def report2(sort: str):
                        with engine.connect() as connection:
                            return connection.execute(text(f"SELECT 1 ORDER BY {COLUMNS[sort]}")).all()
                """,
            },
            "Bound, looked up, compared with a fixed set, or no text at all",
        ),
        Example(
            {
                "shop/views.py": """
                    from django.db import connection
                    from django.http import JsonResponse
                    from shop.models import Order

                    def search(request):
                        name = request.GET.get("name", "")
                        page = int(request.GET.get("page", 1))
                        with connection.cursor() as cursor:
                            cursor.execute(f"SELECT id FROM orders WHERE name = %s OFFSET {page}", [name])
                        return JsonResponse({"found": Order.objects.filter(name=name).count()})
                """,
                "shop/models.py": """
                    from django.db import models

                    class Order(models.Model):
                        name = models.TextField()
                """,
            },
            "Parameters of the driver and of the ORM are bound",
        ),
    )
