"""What people do with a softmax besides taking its loss: draw, compare, multiply."""
