from channels.generic.websocket import AsyncJsonWebsocketConsumer


class ImpactConsumer(AsyncJsonWebsocketConsumer):
    """Tells an open dashboard its new numbers."""

    async def connect(self):
        user = self.scope["user"]
        if not user.is_authenticated:
            await self.close()
            return
        self.group = f"impact.{user.pk}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code):
        if hasattr(self, "group"):
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def impact_updated(self, event):
        await self.send_json(event["metrics"])
