"""Seven language tasks behind one door, for a page and for a terminal; knows nothing of either."""
