"""What the commands share that run one task, here and now."""

from django.core.management.base import BaseCommand, CommandError


class TaskCommand(BaseCommand):
    """Runs `task` in this process and says what it did; what it hands on to other tasks is for the workers."""

    task = None

    def handle(self, *args, **options):
        try:
            self.stdout.write(self.task())
        except Exception as error:
            raise CommandError(f"{type(error).__name__}: {error}") from error
