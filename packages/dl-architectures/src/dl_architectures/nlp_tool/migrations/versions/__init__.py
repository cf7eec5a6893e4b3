"""One module a revision, oldest first; `down_revision` chains them."""
