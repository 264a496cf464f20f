from django.db import models


class Note(models.Model):
    what = models.CharField(max_length=100)
