"""Contacts at Brevo (https://developers.brevo.com), by its API of version 3."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import requests
from django.conf import settings


class Busy(Exception):
    """Brevo, or the way to it, cannot take this now; `wait` says for how many seconds it asked to be left alone."""

    def __init__(self, what, wait=0.0):
        super().__init__(what, wait)  # all arguments, so that it survives pickling
        self.wait = wait

    def __str__(self):
        return str(self.args[0])


class Refused(Exception):
    """Brevo will not take this, however often it is sent."""


def import_contacts(users):
    """Create or update contacts for these users, as one import; gives the id of Brevo's process."""
    body = {
        "jsonBody": [_contact(user) for user in users],
        "listIds": [settings.BREVO_LIST_ID],
        "updateExistingContacts": True,
        "emptyContactsAttributes": False,
        "disableNotification": True,
    }
    return _call("POST", "/contacts/import", body)["processId"]


def delete_contact(email):
    """Delete a contact; one that is not there is deleted."""
    _call("DELETE", f"/contacts/{quote(email, safe='')}", is_gone_fine=True)


def _contact(user):
    canteens = [canteen.name for canteen in user.canteens.all()]
    attributes = {
        "PRENOM": user.first_name,
        "NOM": user.last_name,
        "DATE_INSCRIPTION": f"{user.date_joined:%Y-%m-%d}",
        "NOMBRE_CANTINES": len(canteens),
        "CANTINE": canteens[0] if canteens else "",
    }
    return {"email": user.email, "attributes": attributes}


def _call(method, path, body=None, *, is_gone_fine=False):
    headers = {"api-key": settings.SENDINBLUE_API_KEY, "accept": "application/json"}
    try:
        response = requests.request(method, settings.BREVO_URL + path, headers=headers, json=body, timeout=(5, 30))
    except (requests.ConnectionError, requests.Timeout) as error:
        raise Busy(f"Brevo cannot be reached: {error}") from error
    if response.status_code == 429 or response.status_code >= 500:
        raise Busy(f"Brevo says {response.status_code} to {method} {path}", _wait(response.headers))
    if response.status_code == 404 and is_gone_fine:
        return None
    if not response.ok:
        raise Refused(f"Brevo says {response.status_code} to {method} {path}: {response.text[:200]}")
    return response.json() if response.content else None


def _wait(headers):
    """Seconds, from Retry-After (a number or a date) or from the header that Brevo sends with each 429."""
    asked = headers.get("Retry-After") or headers.get("x-sib-ratelimit-reset") or ""
    try:
        return max(0.0, float(asked))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds())
    except ValueError:
        return 0.0
