"""What each task must beat."""
