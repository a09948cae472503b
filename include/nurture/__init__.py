"""Nurture: marketing automation for B2B lead nurturing, as code."""
