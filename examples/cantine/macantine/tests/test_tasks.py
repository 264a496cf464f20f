"""The tasks by themselves: called directly, or by `apply()` as on the server."""

from datetime import timedelta
from smtplib import SMTPServerDisconnected
from unittest.mock import patch

from django.core import mail
from django.test import TestCase, override_settings
from django.utils import timezone

from data.models import Canteen, Purchase, Reminder, User
from macantine.tasks import (
    export_datasets,
    fill_departments,
    fill_families,
    fill_totals,
    remind_canteens_without_purchases,
    remind_incomplete_canteens,
    remind_users_without_canteen,
    remind_yearly_declaration,
    send_monthly_summaries,
    send_reminder,
    update_brevo_contacts,
)


def make_user(name, *, days=0, **more):
    joined = timezone.now() - timedelta(days=days)
    return User.objects.create_user(name, f"{name}@example.org", first_name=name, date_joined=joined, **more)


def make_canteen(*managers, days=0, **more):
    fields = {"name": "École Jean Jaurès", "postal_code": "69003", "city": "Lyon", **more}
    canteen = Canteen.objects.create(created_at=timezone.now() - timedelta(days=days), **fields)
    canteen.managers.set(managers)
    return canteen


def addressees():
    return sorted(message.to[0].partition("@")[0] for message in mail.outbox)


class Reminders(TestCase):
    def test_users_without_canteen_hear_once_after_a_week_and_once_after_two(self):
        make_user("new", days=3)
        make_user("week", days=8)
        make_user("fortnight", days=15)
        make_user("closed", days=8, is_active=False)
        make_user("silent", days=8, wants_reminders=False)
        make_canteen(make_user("chef", days=8))
        for _ in range(2):
            remind_users_without_canteen.apply()
        self.assertEqual(addressees(), ["fortnight", "week"])
        self.assertEqual({message.subject for message in mail.outbox}, {"Ajoutez votre cantine", "Votre cantine vous attend"})

    def test_managers_hear_of_each_canteen_that_buys_nothing(self):
        chef = make_user("chef")
        make_canteen(chef, days=11, name="A")
        make_canteen(chef, make_user("second"), days=11, name="B")
        make_canteen(chef, days=2, name="C")
        bought = make_canteen(chef, days=11, name="D")
        Purchase.objects.create(canteen=bought, description="Pain", price=1)
        remind_canteens_without_purchases.apply()
        self.assertEqual(addressees(), ["chef", "chef", "second"])

    def test_a_mail_tells_what_is_missing(self):
        make_canteen(make_user("chef"), days=4, daily_meals=120)
        remind_incomplete_canteens.apply()
        self.assertIn("Il manque à la fiche de « École Jean Jaurès » : SIRET.", mail.outbox[0].body)

    def test_the_summary_of_a_month_has_the_month_before(self):
        canteen = make_canteen(make_user("chef"), make_user("second"))
        last = timezone.localdate().replace(day=1) - timedelta(days=1)
        Purchase.objects.create(canteen=canteen, description="Pain", price=12, date=last)
        Purchase.objects.create(canteen=canteen, description="Riz", price=30, date=last.replace(day=1))
        Purchase.objects.create(canteen=canteen, description="Riz", price=99, date=last + timedelta(days=1))
        send_monthly_summaries.apply()
        self.assertEqual(addressees(), ["chef", "second"])
        self.assertIn("École Jean Jaurès : 42.00 €", mail.outbox[0].body)

    def test_the_declaration_is_asked_for_once_a_year(self):
        canteen = make_canteen(make_user("chef"))
        last_year = timezone.localdate().year - 1
        Purchase.objects.create(canteen=canteen, description="Pain", price=12, date=f"{last_year}-05-02")
        for _ in range(2):
            remind_yearly_declaration.apply()
        self.assertEqual([message.subject for message in mail.outbox], [f"Déclarez vos achats de {last_year}"])

    def test_a_mail_that_could_not_be_sent_is_not_taken_for_sent(self):
        user = make_user("chef", days=8)
        with patch("macantine.reminders.send_mail", side_effect=SMTPServerDisconnected), self.assertRaises(OSError):
            send_reminder("without_canteen", user.pk, "first")
        self.assertFalse(Reminder.objects.exists())
        send_reminder("without_canteen", user.pk, "first")
        self.assertEqual(addressees(), ["chef"])

    @patch("macantine.tasks.send_reminder.delay")
    def test_each_mail_is_a_task(self, mock_send_reminder):
        user = make_user("week", days=8)
        remind_users_without_canteen()
        mock_send_reminder.assert_called_once_with("without_canteen", user.pk, "first")


class Filling(TestCase):
    def test_departments_come_from_postal_codes(self):
        expected = {"69003": "69", "20000": "2A", "20200": "2B", "97400": "974", "00100": ""}
        for code in expected:
            make_canteen(postal_code=code)
        fill_departments.apply()
        self.assertEqual(dict(Canteen.objects.values_list("postal_code", "department")), expected)
        self.assertEqual(Canteen.objects.get(postal_code="97400").region, "La Réunion")

    def test_families_come_from_descriptions(self):
        expected = {"Pommes Gala": "Fruits et légumes", "Bœuf": "Viandes", "Crème d'Isigny": "Produits laitiers", "Sel": "Autres"}
        canteen = make_canteen()
        for description in expected:
            Purchase.objects.create(canteen=canteen, description=description, price=1)
        fill_families.apply()
        self.assertEqual(dict(Purchase.objects.values_list("description", "family")), expected)

    def test_totals_are_those_of_this_year(self):
        canteen, other = make_canteen(), make_canteen()
        today = timezone.localdate()
        for price, date, is_organic in (
            (30, today, True),
            (90, today, False),
            (500, today.replace(year=today.year - 1, day=1), True),
        ):
            Purchase.objects.create(canteen=canteen, description="Riz", price=price, date=date, is_organic=is_organic)
        Purchase.objects.create(canteen=other, description="Riz", price=7)
        fill_totals(canteen.pk)
        canteen.refresh_from_db()
        self.assertEqual((canteen.spent, canteen.spent_organic, canteen.organic_share), (120, 30, 25))
        other.refresh_from_db()
        self.assertEqual(other.spent, 0)
        fill_totals.apply()
        other.refresh_from_db()
        self.assertEqual(other.spent, 7)


class Elsewhere(TestCase):
    @override_settings(DATA_WARE_HOUSE={"host": ""})
    def test_without_a_warehouse_the_export_says_so_and_ends_well(self):
        done = export_datasets.apply()
        self.assertEqual((done.state, done.get()), ("SUCCESS", "DATA_WARE_HOUSE_HOST is not set: nothing exported"))

    @override_settings(SENDINBLUE_API_KEY="")
    def test_without_a_key_the_update_of_contacts_says_so_and_ends_well(self):
        done = update_brevo_contacts.apply()
        self.assertEqual((done.state, done.get()), ("SUCCESS", "SENDINBLUE_API_KEY is not set: no contacts updated"))

    @override_settings(SENDINBLUE_API_KEY="key", BREVO_BATCH=2)
    @patch("macantine.tasks.send_brevo_batch.delay")
    def test_contacts_go_in_batches(self, mock_send_brevo_batch):
        users = [make_user(f"user{number}").pk for number in range(5)]
        make_user("closed", is_active=False)
        update_brevo_contacts()
        batches = [call.args[0] for call in mock_send_brevo_batch.call_args_list]
        self.assertEqual(batches, [users[:2], users[2:4], users[4:]])
