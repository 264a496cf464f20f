from macantine.command import TaskCommand
from macantine.tasks import fill_families


class Command(TaskCommand):
    help = fill_families.__doc__
    task = fill_families
