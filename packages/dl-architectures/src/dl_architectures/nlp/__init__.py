"""Seven language tasks behind one interface, for a page and for a terminal; knows nothing of either."""
