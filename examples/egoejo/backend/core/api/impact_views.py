from rest_framework import generics, serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from core.models import Contribution, ImpactDashboard
from core.tasks import update_impact_dashboard_metrics


class ContributionSerializer(serializers.ModelSerializer):
    class Meta:
        model = Contribution
        fields = ["id", "projet", "euros", "hours"]


class ContributionView(generics.ListCreateAPIView):
    """One's contributions; a new one is counted in the background."""

    serializer_class = ContributionSerializer

    def get_queryset(self):
        return self.request.user.contributions.all()

    def perform_create(self, serializer):
        serializer.save(user=self.request.user)
        update_impact_dashboard_metrics.delay(self.request.user.id)


class ImpactView(APIView):
    """One's numbers, as last counted."""

    def get(self, request):
        dashboard = ImpactDashboard.objects.filter(user=request.user).first() or ImpactDashboard()
        return Response(dashboard.metrics())
