"""One function a picture; each returns a Matplotlib Figure."""
