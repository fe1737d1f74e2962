"""The stack that scholarship-api replaces, in small: FastAPI, SQLAlchemy's QueuePool and psycopg2, on the same tables
and with the same queries (lookup.sql, search.sql). Served by one uvicorn process:

    DATABASE_URL=… API_AUTH_SECRET=… POOL=default LAYERS=1 uvicorn app:app

POOL    default: SQLAlchemy's own settings; recommended: the sizes that were to mend it
LAYERS  sessions that a request holds at a time: 1 as the documentation has it; more where each layer of a service
        (authentication, quota, audit, …) opens one of its own and keeps it to the end of the request
"""

import os
from datetime import datetime, timezone
from pathlib import Path

from fastapi import Depends, FastAPI, HTTPException, Request
from jose import JWTError, jwt
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, sessionmaker

POOLS = {
    "default": {},  # 5 connections, 10 more, 30 s of waiting
    "recommended": {
        "pool_size": 20,
        "max_overflow": 30,
        "pool_timeout": 10,
        "pool_recycle": 1800,
        "pool_pre_ping": True,
    },
}
LAYERS = int(os.environ.get("LAYERS", "1"))
SECRET = os.environ["API_AUTH_SECRET"]

engine = create_engine(os.environ["DATABASE_URL"], **POOLS[os.environ.get("POOL", "default")])
make_session = sessionmaker(bind=engine)
app = FastAPI()


def statements(name: str):
    """The SQL of a pgbench script, without pgbench's own commands."""
    lines = Path(__file__).with_name(name).read_text().splitlines()
    sql = "\n".join(line for line in lines if not line.startswith(("\\", "--")))
    return [text(statement) for statement in sql.split(";") if statement.strip()]


[LOOKUP] = statements("lookup.sql")
ESTIMATE, RANKED = statements("search.sql")
BEFORE_ALL = {"score": 2**31 - 1, "id": 0}


def open_session():
    session = make_session()
    try:
        yield session
    finally:
        session.close()


def open_layer():
    session = make_session()
    try:
        session.execute(text("SELECT 1"))
        yield session
    finally:
        session.close()


LAYER_DEPENDENCIES = [Depends(open_layer, use_cache=False) for _ in range(LAYERS - 1)]


def user(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        return jwt.decode(token, SECRET, algorithms=["HS256"])["sub"]
    except JWTError:
        raise HTTPException(401, "A valid bearer token is required")


def summary(row) -> dict:
    return {
        "id": row[0],
        "name": row[1],
        "provider": row[2],
        "amount": row[3],
        "deadline": row[4].isoformat(),
        "min_gpa": None if row[5] is None else row[5] / 100,
        "majors": row[6],
    }


@app.get("/health")
def health():
    return {"status": "healthy"}


@app.get("/api/v1/scholarships/{id}", dependencies=LAYER_DEPENDENCIES)
def scholarship(id: int, _: str = Depends(user), session: Session = Depends(open_session)):
    row = session.execute(LOOKUP, {"id": id}).first()
    if row is None:
        raise HTTPException(404, "There is no scholarship with this id")
    return summary(row) | {"residencies": row[8], "education_levels": row[9], "description": row[7]}


@app.get("/api/v1/search", dependencies=LAYER_DEPENDENCIES)
def search(q: str, limit: int = 20, _: str = Depends(user), session: Session = Depends(open_session)):
    session.execute(ESTIMATE, {"words": q}).scalar()
    # One more than is shown tells whether there is a next page.
    asked = {"words": q, "today": datetime.now(timezone.utc).date(), "limit": limit + 1} | BEFORE_ALL
    rows = session.execute(RANKED, asked).all()
    return {"items": [summary(row) for row in rows[:limit]], "total": rows[0][8] if rows else 0}
