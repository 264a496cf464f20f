"""A program that uses the shop, told over its stdin what to do: it runs each piece of code and gives what its last line is."""

import ast
import os
import pickle
import sys
import traceback

import shop

PATIENCE = float(os.environ["PATIENCE"])
PLAIN = (type(None), bool, int, float, str, bytes)


def plain(value):
    """The value if it consists of what both sides have, else its repr."""
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return value if isinstance(value, PLAIN) else repr(value)


def told(result):
    """All that is known of a task that has ended."""
    value = result.get(timeout=PATIENCE, propagate=False)
    error = isinstance(value, BaseException)
    return {
        "state": result.state,
        "result": [f"{type(value).__module__}.{type(value).__qualname__}", plain(value.args)] if error else plain(value),
        "traceback": result.traceback,
        "children": [child.id for child in result.children or ()],
        "date_done": result.date_done and result.date_done.isoformat(),
        "name": result.name,
        "args": plain(result.args),
        "kwargs": plain(result.kwargs),
        "worker": result.worker,
        "retries": result.retries,
        "queue": result.queue,
    }


def run(code, space):
    """Run the code; gives the value of its last line, if that is an expression."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<test>", "exec"), space)
    return eval(compile(ast.Expression(last.value), "<test>", "eval"), space) if last else None


def main():
    """Answer until nobody asks any more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    space = {"shop": shop, "app": shop.app, "told": told, "patience": PATIENCE}
    while True:
        try:
            code = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = True, run(code, space)
        except Exception:
            answer = False, traceback.format_exc()
        pickle.dump(answer, answers)
        answers.flush()


main()
