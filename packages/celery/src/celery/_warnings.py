"""The root of Celery's warnings, which umbel's own are to be, too; apart, since it has to be there before them."""


class CeleryWarning(UserWarning):
    """The root of all warnings."""


CeleryWarning.__module__ = "celery.exceptions"
