"""Tasks as Django writes them."""

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task


@task
def double(number):
    return number * 2


@task(takes_context=True)
def attempt(context, more):
    return [context.attempt, context.task_result.id, more]


@task
async def later(text):
    return text.upper()


@task
def wrong():
    raise KeyError("as asked")
