"""Calls to a running SCANEO."""
