"""Workers and beats as programs."""
