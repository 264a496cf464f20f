from pathlib import PurePath

from django.conf import settings
from django.core.files.storage import default_storage
from rest_framework import serializers
from rest_framework.decorators import api_view, parser_classes
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response

from core.models import Photo
from core.pictures import FORMATS
from core.tasks import process_image_task


class Upload(serializers.Serializer):
    image = serializers.FileField()

    def validate_image(self, image):
        """By name and size only: looking inside is the worker's work."""
        if PurePath(image.name).suffix.lower() not in FORMATS:
            raise serializers.ValidationError(f"Formats acceptés : {', '.join(FORMATS)}")
        if image.size > settings.IMAGE_MAX_BYTES:
            raise serializers.ValidationError("Le fichier est trop grand.")
        return image


@api_view(["POST"])
@parser_classes([MultiPartParser])
def upload_image(request):
    """Keep the picture, under a name of ours, and have it processed."""
    Upload(data=request.data).is_valid(raise_exception=True)
    image = request.FILES["image"]
    image_path = default_storage.save(f"projets/image{PurePath(image.name).suffix.lower()}", image)
    Photo.objects.create(user=request.user, path=image_path)

    process_image_task.delay(image_path)

    return Response({"success": True, "image_path": image_path})
