"""The stack that scholarship-api replaces, in small: FastAPI, SQLAlchemy's QueuePool and psycopg2, on the same tables
and with the same queries (lookup.sql, search.sql). Served by one uvicorn process:

    DATABASE_URL=… API_AUTH_SECRET=… POOL=default LAYERS=1 uvicorn app:app

POOL    default: SQLAlchemy's own settings; recommended: the sizes that were to mend it
LAYERS  sessions that a request holds at a time: 1 as the documentation has it; more where each layer of a service
        (authentication, quota, audit, …) opens one of its own and keeps it to the end of the request
"""

import os
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


def query(name: str):
    """The SQL of a pgbench script, without pgbench's own commands."""
    lines = Path(__file__).with_name(name).read_text().splitlines()
    return text("\n".join(line for line in lines if not line.startswith(("\\", "--"))))


LOOKUP = query("lookup.sql")
SEARCH = query("search.sql")


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
    rows = session.execute(SEARCH, {"words": q, "limit": limit}).all()
    return {"items": [summary(row) for row in rows], "total": rows[0][7] if rows else 0}
