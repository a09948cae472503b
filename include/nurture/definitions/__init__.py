"""Definitions: what marketing wrote, checked at the door and frozen."""
