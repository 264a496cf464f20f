from macantine.command import TaskCommand
from macantine.tasks import forget_brevo_contacts


class Command(TaskCommand):
    help = forget_brevo_contacts.__doc__
    task = forget_brevo_contacts
