from macantine.command import TaskCommand
from macantine.tasks import fill_departments


class Command(TaskCommand):
    help = fill_departments.__doc__
    task = fill_departments
