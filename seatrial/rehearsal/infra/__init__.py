"""Runs unmodified Pulumi programs offline: an engine and a resource monitor of our own, against an offline cloud."""
