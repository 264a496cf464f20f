from macantine.command import TaskCommand
from macantine.tasks import export_datasets


class Command(TaskCommand):
    help = export_datasets.__doc__
    task = export_datasets
