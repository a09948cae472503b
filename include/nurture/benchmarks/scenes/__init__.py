"""Scenes: what makes two people look like one, or one like two; each is played so often as a mix asks.

A scene's name is the flag of its records in truth.csv. Whether its people are one or several stands in its sentence.
"""

from nurture.benchmarks.scenes import moving, namesakes, shared, spelling
from nurture.benchmarks.scenes.play import SCENES

__all__ = ["SCENES", "moving", "namesakes", "shared", "spelling"]
