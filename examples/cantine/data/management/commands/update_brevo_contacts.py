from macantine.command import TaskCommand
from macantine.tasks import update_brevo_contacts


class Command(TaskCommand):
    help = update_brevo_contacts.__doc__
    task = update_brevo_contacts
