"""Trained networks as folders that run without torch."""
