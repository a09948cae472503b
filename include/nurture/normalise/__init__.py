"""Normalise: fold what people wrote into keys for matching; what is shown stays as it came.

Pure functions of one value each, remembered by value: a file of a million rows has far fewer distinct ones.
"""
