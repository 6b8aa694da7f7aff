"""The only door to language models and their weights."""
