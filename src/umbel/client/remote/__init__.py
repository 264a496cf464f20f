"""What an app asks of workers, tells them, and hears from them."""
