"""Its module with tasks."""

from same import app


@app.task(name="found")
def found():
    return "found"
