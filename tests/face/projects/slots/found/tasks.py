"""Tasks that are found by themselves."""

from shop import app


@app.task(name="found")
def found():
    return "found"
