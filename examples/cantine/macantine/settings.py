"""Settings: from the environment, and from `.env` beside manage.py. Web server and Celery server read the same variables."""

import os
import sys
from pathlib import Path

import dj_database_url
from django.core.management.utils import get_random_secret_key
from dotenv import load_dotenv

BASE_DIR = Path(__file__).resolve().parent.parent
load_dotenv(BASE_DIR / ".env")  # what the environment says goes before it

TESTING = sys.argv[1:2] == ["test"]
DEBUG = os.getenv("DEBUG", "").lower() == "true"
SECRET_KEY = os.getenv("SECRET_KEY") or get_random_secret_key()  # without one, log-ins last as long as this process
ALLOWED_HOSTS = (os.getenv("ALLOWED_HOSTS") or "localhost,127.0.0.1,[::1]").split(",")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "data",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "macantine.urls"
WSGI_APPLICATION = "macantine.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True  # from the apps themselves: there is nothing to collect
WHITENOISE_AUTOREFRESH = DEBUG

DATABASES = {"default": dj_database_url.parse(os.getenv("DATABASE_URL") or f"sqlite:///{BASE_DIR}/db.sqlite3", conn_max_age=60)}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Web and worker share the file: a writer waits for its turn instead of failing in the middle of a transaction.
    DATABASES["default"]["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 20}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "data.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "home"

LANGUAGE_CODE = "fr"
USE_TZ = True
TIME_ZONE = "Europe/Paris"

EMAIL_HOST = os.getenv("EMAIL_HOST", "")
EMAIL_PORT = int(os.getenv("EMAIL_PORT") or 25)
EMAIL_HOST_USER = os.getenv("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.getenv("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = os.getenv("EMAIL_USE_TLS", "").lower() == "true"
EMAIL_TIMEOUT = 20
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend"
DEFAULT_FROM_EMAIL = os.getenv("DEFAULT_FROM_EMAIL", "Ma Cantine <bonjour@macantine.example>")

# The queue.
REDIS_URL = os.getenv("REDIS_URL") or "redis://localhost:6379/0"
CELERY_BROKER_URL = REDIS_URL
CELERY_RESULT_BACKEND = REDIS_URL
CELERY_TIMEZONE = os.getenv("CELERY_TIMEZONE") or TIME_ZONE
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Each task may run twice without harm, so a task whose worker died runs again.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_ALWAYS_EAGER = TESTING

# Where `export_datasets` writes; without a host it does nothing.
DATA_WARE_HOUSE = {
    "user": os.getenv("DATA_WARE_HOUSE_USER", ""),
    "password": os.getenv("DATA_WARE_HOUSE_PASSWORD", ""),
    "host": os.getenv("DATA_WARE_HOUSE_HOST", ""),
    "port": os.getenv("DATA_WARE_HOUSE_PORT", ""),
    "dbname": os.getenv("DATA_WARE_HOUSE_DB", ""),
}

# Brevo, once called SendInBlue; without a key nothing is sent there.
SENDINBLUE_API_KEY = os.getenv("SENDINBLUE_API_KEY", "")
BREVO_URL = os.getenv("BREVO_URL") or "https://api.brevo.com/v3"
BREVO_LIST_ID = int(os.getenv("BREVO_LIST_ID") or 2)
BREVO_BATCH = int(os.getenv("BREVO_BATCH") or 1000)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"]},
    "loggers": {"macantine": {"level": "CRITICAL" if TESTING else "INFO"}},
}
