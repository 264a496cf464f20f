"""Result stores: umbel's, and the classes from which those of others derive."""
