"""What is put right for programs of a kind."""
