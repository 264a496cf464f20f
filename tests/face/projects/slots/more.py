"""Tasks in a module that `include` names."""

from shop import app


@app.task(name="more")
def more():
    return "more"
