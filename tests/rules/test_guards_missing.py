"""unauthenticated-operation: what is compared with what, and how sure that makes."""

from mainstay.model.finding import Confidence, Severity
from mainstay.rules.security.unauthenticated_operation import UnauthenticatedOperation
from tests.rules.conftest import Found

APP = """
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Session

app = FastAPI()
class Base(DeclarativeBase): ...
class Order(Base):
    __tablename__ = "orders"

def caller(token: str = ""):
    if not token:
        raise HTTPException(401)
    return token
"""


def test_nothing_in_the_project_asks_is_one_finding_at_its_worst_place(found: Found) -> None:
    routes = """
@app.get("/orders")
def list_orders(session: Session):
    return session.scalars(select(Order)).all()

@app.post("/orders")
def place_order(session: Session, body: dict):
    session.add(Order(**body))
    session.commit()

@app.get("/prices")
def prices():
    return {}
"""
    (finding,) = found(UnauthenticatedOperation, {"app.py": APP + routes})
    assert finding.message == (
        "Nothing in this project asks who is calling: POST /orders and 2 other operations are open"
    )
    assert (finding.severity, finding.confidence) == (Severity.HIGH, Confidence.LOW)
    assert finding.subject == "application"
    assert len(finding.siblings) == 2


def test_a_single_open_operation_that_does_nothing_weighs_little(found: Found) -> None:
    (finding,) = found(UnauthenticatedOperation, {"app.py": APP + '@app.get("/prices")\ndef prices(): ...\n'})
    assert finding.message == "Nothing in this project asks who is calling: GET /prices is open"
    assert finding.severity is Severity.LOW
    assert finding.siblings == ()


def test_a_router_that_is_mostly_open_is_one_decision(found: Found) -> None:
    routes = """
guarded = APIRouter(dependencies=[Depends(caller)])
opened = APIRouter()

@guarded.get("/own")
def own(): ...

@opened.get("/orders")
def list_orders(session: Session):
    return session.scalars(select(Order)).all()

@opened.delete("/orders")
def drop(session: Session):
    session.query(Order).delete()
    session.commit()

app.include_router(guarded)
app.include_router(opened)
"""
    (finding,) = found(UnauthenticatedOperation, {"app.py": APP + routes})
    assert finding.message == "DELETE /orders asks nobody who they are, nor does 1 other operation beside it"
    assert (finding.severity, finding.confidence) == (Severity.HIGH, Confidence.LOW)
    assert finding.subject == "app.opened"


def test_a_router_with_one_guard_among_many_open_ones_is_surer(found: Found) -> None:
    routes = """
orders = APIRouter()

@orders.get("/mine", dependencies=[Depends(caller)])
def mine(): ...

@orders.post("/one")
def one(session: Session):
    session.add(Order())
    session.commit()

@orders.get("/two")
def two(): ...

app.include_router(orders)
"""
    (finding,) = found(UnauthenticatedOperation, {"app.py": APP + routes})
    assert finding.location.line == APP.count("\n") + 8
    assert finding.confidence is Confidence.MEDIUM
