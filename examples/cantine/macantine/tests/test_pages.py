"""The pages, and the tasks that they start: eagerly, in tests."""

from io import StringIO

from django.core.management import call_command
from django.test import TestCase

from data.models import Canteen, User
from macantine.celery import app
from macantine.tests.test_tasks import make_canteen, make_user


class Pages(TestCase):
    def test_a_visitor_signs_up_adds_a_canteen_and_notes_a_purchase(self):
        person = {"first_name": "Ada", "last_name": "L", "username": "ada", "email": "ada@example.org"}
        self.client.post("/inscription/", {**person, "password1": "sept-lieues", "password2": "sept-lieues"})
        canteen = {"name": "Lycée Louise Michel", "postal_code": "35000", "city": "Rennes"}
        page = self.client.post("/cantines/nouvelle/", canteen, follow=True)
        self.assertContains(page, "Bretagne (35)")
        purchase = {"description": "Pommes", "price": "12.50", "date": "2026-01-05", "is_organic": "on"}
        number = Canteen.objects.get().pk
        page = self.client.post(f"/cantines/{number}/achats/", purchase, follow=True)
        self.assertContains(page, "Fruits et légumes")
        self.assertContains(self.client.get("/"), "Lycée Louise Michel")

    def test_only_managers_note_purchases(self):
        canteen = make_canteen(make_user("chef"))
        self.client.force_login(make_user("other"))
        answer = self.client.post(f"/cantines/{canteen.pk}/achats/", {"description": "Pain", "price": "1", "date": "2026-01-05"})
        self.assertEqual(answer.status_code, 404)
        self.assertFalse(canteen.purchases.exists())

    def test_seed_makes_canteens_to_look_at(self):
        with self.assertNoLogs("macantine", "ERROR"):
            call_command("seed", "3", stdout=StringIO())
        self.assertEqual(User.objects.count(), 3)
        self.assertContains(self.client.get("/"), "3")


class Schedule(TestCase):
    def test_every_entry_names_a_task_in_the_time_of_paris(self):
        for entry in app.conf.beat_schedule.values():
            self.assertIn(entry["task"], app.tasks)
        self.assertEqual(str(app.timezone), "Europe/Paris")
