"""What is wrong with an installation, and what to do: for `afterword doctor`, and the cheap part for `/readyz`."""
