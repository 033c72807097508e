"""The rules: which survey a customer gets, and when."""
