from macantine.command import TaskCommand
from macantine.tasks import fill_totals


class Command(TaskCommand):
    help = fill_totals.__doc__
    task = fill_totals
