"""Further things."""
