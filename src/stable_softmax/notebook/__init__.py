"""Show me: figures, tables and sources in the chapters."""
