"""Programs that make something of the built book: a release, an edition, a table."""
