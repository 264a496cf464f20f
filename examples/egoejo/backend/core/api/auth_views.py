from django.contrib.auth import get_user_model, login
from django.contrib.auth.password_validation import validate_password
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.validators import UniqueValidator
from rest_framework.views import APIView

from core.tasks import send_welcome_email

User = get_user_model()


class Registration(serializers.Serializer):
    username = serializers.CharField(max_length=150, required=False, validators=[UniqueValidator(User.objects.all())])
    email = serializers.EmailField(max_length=150, validators=[UniqueValidator(User.objects.all(), lookup="iexact")])
    password = serializers.CharField(write_only=True, validators=[validate_password])

    def create(self, validated_data):
        email = validated_data["email"].lower()
        name = validated_data.get("username", email)
        return User.objects.create_user(username=name, email=email, password=validated_data["password"])


class RegisterView(APIView):
    """Whoever registers is logged in, and gets a mail."""

    authentication_classes = ()
    permission_classes = ()

    def post(self, request):
        registration = Registration(data=request.data)
        registration.is_valid(raise_exception=True)
        user = registration.save()
        login(request, user)

        send_welcome_email.delay(user.id)

        return Response({"success": True})
