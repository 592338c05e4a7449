"""Modules that methods bring along: critics, projections, policies; each tensor with the member axis in front."""
