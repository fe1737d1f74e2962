"""FastAPI, to be run by uvicorn."""
import asyncio

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def hello():
    return {"hello": "world"}


@app.get("/health")
def health():
    return {"status": "healthy"}


@app.get("/slow")
async def slow():
    await asyncio.sleep(0.3)
    return {}
