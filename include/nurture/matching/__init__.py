"""Matching: tell from the records alone which of them are one person's, and say why."""
