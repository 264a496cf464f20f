import struct
import zlib
from io import BytesIO
from smtplib import SMTPServerDisconnected
from unittest.mock import patch

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from rest_framework.test import APIClient

from config.asgi import application
from core.models import Contribution, Photo, Projet
from core.tasks import (
    process_image_task,
    send_email_task,
    send_welcome_email,
    update_all_impact_dashboards,
    update_impact_dashboard_metrics,
)

User = get_user_model()
pytestmark = pytest.mark.django_db
client = APIClient()
PERSON = {"email": "ada@example.org", "password": "sept-lieues"}


@pytest.fixture(autouse=True)
def fresh(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    client.logout()
    client.cookies.clear()


@pytest.fixture
def user():
    return User.objects.create_user("bob", "bob@example.org", "sept-lieues")


def encoded(image, kind="PNG", **options):
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def kept(data, name="projets/image.png"):
    return default_storage.save(name, ContentFile(data))


def opened(path):
    with default_storage.open(path) as file:
        image = Image.open(file)
        image.load()
        return image


# Mails.


def test_send_email_task():
    result = send_email_task("test@example.com", "Test", "<p>Test</p>")
    assert result == {"success": True, "to_email": "test@example.com"}
    (message,) = mail.outbox
    assert (message.to, message.subject, message.body) == (["test@example.com"], "Test", "Test")
    assert message.alternatives[0].content == "<p>Test</p>"


@patch("core.tasks.send_email_task.delay")
def test_register_sends_email(mock_send_email):
    response = client.post("/api/auth/register/", PERSON)
    assert response.json() == {"success": True}
    mock_send_email.assert_called_once()
    assert mock_send_email.call_args.kwargs["to_email"] == "ada@example.org"


@patch("core.tasks.send_welcome_email.delay")
def test_register_does_not_wait_for_the_mail(mock_welcome):
    client.post("/api/auth/register/", PERSON, format="json")
    mock_welcome.assert_called_once_with(User.objects.get().id)
    assert mail.outbox == []


@pytest.mark.parametrize("wrong", [{"email": "nobody"}, {"email": "BOB@example.org"}, {"password": "short"}, {"email": ""}])
def test_register_refuses(wrong, user):
    response = client.post("/api/auth/register/", PERSON | wrong)
    assert response.status_code == 400
    assert list(response.json()) == list(wrong)
    assert (User.objects.count(), mail.outbox) == (1, [])


def test_who_has_registered_is_logged_in_and_welcome():
    client.post("/api/auth/register/", PERSON)
    assert client.get("/impact/").status_code == 200
    assert [message.subject for message in mail.outbox] == ["Bienvenue chez EGOEJO"]
    assert "ada@example.org" in mail.outbox[0].alternatives[0].content


def test_a_mail_server_that_is_away_is_tried_again(caplog):
    with patch("core.tasks.EmailMultiAlternatives.send", side_effect=[SMTPServerDisconnected("away"), 1]) as send:
        done = send_email_task.apply(args=("test@example.com", "Test", "<p>Test</p>"))
    assert done.get() == {"success": True, "to_email": "test@example.com"}
    assert send.call_count == 2
    assert "The mail 'Test' to test@example.com could not be sent: away" in caplog.text


def test_a_subject_that_is_no_subject_is_not_tried_again():
    with patch("core.tasks.EmailMultiAlternatives.send", side_effect=ValueError("line break")) as send:
        assert send_email_task.apply(args=("test@example.com", "Test", "<p>Test</p>")).state == "FAILURE"
    assert send.call_count == 1


@pytest.mark.parametrize("task", [send_welcome_email, update_impact_dashboard_metrics])
def test_who_is_not_there_is_told(task, caplog):
    result = task.apply(kwargs={"user_id": 123}).get()
    assert not result["success"]
    assert "There is no user 123" in caplog.text


# Impact.


def test_metrics_come_from_rows(user):
    one, other = Projet.objects.create(title="One"), Projet.objects.create(title="Other")
    for projet, euros, hours in ((one, "10.50", 2), (one, "4.50", 0), (other, 0, "1.5")):
        Contribution.objects.create(user=user, projet=projet, euros=euros, hours=hours)
    Photo.objects.create(user=user, path="a.jpg", state=Photo.State.READY)
    Photo.objects.create(user=user, path="b.jpg", state=Photo.State.REFUSED)
    expected = {"projets": 2, "euros": 15.0, "hours": 3.5, "photos": 1}
    assert update_impact_dashboard_metrics(user.id) == {"success": True, "user_id": user.id, **expected}
    client.force_login(user)
    assert client.get("/api/impact/").json() == expected
    assert '<b id="euros">15</b>' in client.get("/impact/").content.decode()


def test_a_contribution_is_counted(user):
    client.force_login(user)
    response = client.post("/api/contributions/", {"projet": Projet.objects.create(title="One").pk, "euros": "12.34"})
    assert response.status_code == 201
    assert client.get("/api/impact/").json()["euros"] == 12.34
    assert "12" in client.get("/").content.decode()


def test_all_dashboards_are_counted_at_night(user):
    Contribution.objects.create(user=user, projet=Projet.objects.create(title="One"), euros=5)
    assert update_all_impact_dashboards.apply().get() == {"success": True, "users": 1}
    user.refresh_from_db()
    assert user.impact.euros == 5


@pytest.mark.django_db(transaction=True)
def test_an_open_dashboard_is_told(user):
    client.force_login(user)
    cookie = f"sessionid={client.cookies['sessionid'].value}".encode()

    async def watch():
        line = WebsocketCommunicator(application, "/ws/impact/", [(b"cookie", cookie), (b"origin", b"http://localhost")])
        assert (await line.connect())[0]
        await sync_to_async(update_impact_dashboard_metrics)(user.id)
        told = await line.receive_json_from()
        await line.disconnect()
        return told

    assert async_to_sync(watch)() == {"projets": 0, "euros": 0.0, "hours": 0.0, "photos": 0}


# Pictures.


def test_upload_image(user):
    client.force_login(user)
    image = SimpleUploadedFile("Été à la mer.JPG", encoded(Image.new("RGB", (4000, 1000), "green"), "JPEG"))
    response = client.post("/api/images/", {"image": image}, format="multipart")
    path = response.json()["image_path"]
    assert response.json() == {"success": True, "image_path": path}
    assert path.startswith("projets/image")
    photo = Photo.objects.get(path=path)
    assert (photo.state, photo.width, photo.height) == (Photo.State.READY, 1920, 480)
    assert f"/media/{path}" in client.get("/photos/").content.decode()
    assert client.get("/api/impact/").json()["photos"] == 1


@pytest.mark.parametrize("name", ["page.html", "image", "image.svg", "image.jpg.exe"])
def test_upload_takes_pictures_only(name, user):
    client.force_login(user)
    response = client.post("/api/images/", {"image": SimpleUploadedFile(name, b"<script>")}, format="multipart")
    assert response.status_code == 400
    assert not Photo.objects.exists()


def test_upload_is_for_who_is_logged_in():
    assert client.post("/api/images/", {}, format="multipart").status_code == 403


def test_a_picture_is_put_upright_and_loses_what_the_camera_wrote():
    image = Image.new("RGB", (40, 20), "red")
    image.paste("blue", (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    exif[0x010F] = "A camera"
    path = kept(encoded(image, "JPEG", exif=exif, quality=95), "projets/image.jpg")
    assert process_image_task(path)["success"]
    turned = opened(path)
    assert turned.size == (20, 40)
    red, _, blue = turned.getpixel((10, 5))
    assert blue > red  # what was left is up
    assert not turned.getexif()


def test_a_picture_is_made_smaller_but_never_larger():
    path = kept(encoded(Image.new("RGB", (3000, 3000))))
    assert process_image_task.apply(args=(path,), kwargs={"max_width": 800, "max_height": 600}).get()["width"] == 600
    assert process_image_task(image_path=path, max_width=1920, max_height=1080, quality=85)["width"] == 600


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGBA", (9, 9), (0, 0, 0, 0)),
        Image.new("LA", (9, 9), (0, 0)),
        Image.new("RGBA", (9, 9), (0, 0, 0, 0)).convert("P"),
    ],
    ids=lambda image: image.mode,
)
def test_alpha_stays_where_it_can_and_turns_white_where_not(image):
    png, jpeg = kept(encoded(image)), kept(encoded(image), "projets/image.jpg")
    assert process_image_task(png)["success"]
    assert opened(png).convert("RGBA").getpixel((4, 4))[3] == 0
    assert process_image_task(jpeg)["success"]
    assert opened(jpeg).format == "JPEG"
    assert min(opened(jpeg).getpixel((4, 4))) > 250


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "I;16"])
def test_all_kinds_of_pictures_can_be_read(mode):
    grey = Image.new("I;16", (9, 9), 0x8000) if mode == "I;16" else Image.new("L", (9, 9), 128).convert(mode)
    path = kept(encoded(grey, "JPEG" if mode == "CMYK" else "PNG"), "projets/image.jpg")
    assert process_image_task(path)["success"]
    if mode != "1":
        assert abs(opened(path).getpixel((4, 4))[0] - 128) < 5


def damaged():
    return encoded(Image.effect_noise((200, 200), 60))[:3000]


def bomb():
    """A black picture of 20,000 × 20,000 in 200 KB: a PNG written by hand, since Pillow would unpack it first."""
    black = zlib.compress(bytes(20_000 * (1 + 20_000 // 8)), 1)
    parts = (b"IHDR", struct.pack(">2I5B", 20_000, 20_000, 1, 0, 0, 0, 0)), (b"IDAT", black), (b"IEND", b"")
    chunks = (struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    "data", [b"", b"no picture", b"<svg/>", damaged(), bomb()], ids=["empty", "text", "svg", "damaged", "bomb"]
)
@pytest.mark.filterwarnings("error")
def test_what_cannot_be_shown_is_refused_once(data, user, caplog):
    path = kept(data, "projets/image.jpg")
    Photo.objects.create(user=user, path=path)
    result = process_image_task.apply(args=(path,)).get()
    assert not result["success"]
    assert path in result["error"]
    assert caplog.text.count("was not processed") == 1
    photo = Photo.objects.get()
    assert photo.state == Photo.State.REFUSED
    client.force_login(user)
    assert "refusée" in client.get("/photos/").content.decode()


def test_a_picture_that_is_gone_is_told():
    assert "No such file" in process_image_task("projets/gone.jpg")["error"]


def test_a_path_that_leads_outside_is_not_followed():
    assert process_image_task.apply(args=("../secret.jpg",)).state == "FAILURE"


def test_a_full_disk_is_tried_again_and_the_picture_stays():
    data = encoded(Image.new("RGB", (3000, 10)))
    path = kept(data)
    with patch("core.tasks.Path.replace", side_effect=[OSError("disk full"), None]) as replace:
        assert process_image_task.apply(args=(path,)).get()["success"]
    assert replace.call_count == 2
    with default_storage.open(path) as file:
        assert file.read() == data
    assert len(default_storage.listdir("projets")[1]) == 1
