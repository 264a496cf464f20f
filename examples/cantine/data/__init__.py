"""Canteens, the people who run them, what they buy."""
