"""Named by `include`."""

from same import app


@app.task(name="more")
def more():
    return "more"
