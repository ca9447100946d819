"""More rows, more classes, more machines: the same laws where their cost is paid."""
