"""Release an assignment of a book to a class, and mark what comes back."""
