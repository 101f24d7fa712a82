"""Image files in and out, with all they say; one file, and many."""
