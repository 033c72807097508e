"""Texts for customers in every language."""
