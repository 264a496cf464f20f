from django.core.cache.backends.locmem import LocMemCache

closed = 0


class Counting(LocMemCache):
    """Counts how often it was closed."""

    def close(self, **_):
        global closed
        closed += 1
