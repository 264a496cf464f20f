"""What happens to tasks and workers, told while it happens: made, sent, received, and put together to a picture."""
