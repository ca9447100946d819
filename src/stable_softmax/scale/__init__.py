"""More classes, more rows, more machines: the same laws where they are paid for."""
