"""More digits: the rungs of the accuracy ladder above the path."""
